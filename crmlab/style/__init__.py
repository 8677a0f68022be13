"""How things look: colours, numbers, money, dates, and charts as SVG."""

from crmlab.style.charts import settings, svg
from crmlab.style.formats import DASH, KINDS, LANGUAGES, MINUS, THIN, Format, plain, shortened
from crmlab.style.tokens import TOKENS, color

__all__ = ["DASH", "KINDS", "LANGUAGES", "MINUS", "THIN", "TOKENS", "Format", "color", "plain", "settings", "shortened", "svg"]
