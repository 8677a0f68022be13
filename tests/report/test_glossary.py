from crmlab.report.glossary import explain


def test_explain_marks_only_the_first_use_and_lists_terms():
    page = explain("<p>A segment is here.</p><p>Another segment.</p>")
    assert page.count("<abbr") == 1
    assert "<dt>segment</dt>" in page


def test_explain_leaves_tables_pictures_and_headings_alone():
    html = "<h2>The median</h2><table><tr><td>median</td></tr></table><svg><text>median</text></svg>"
    assert explain(html) == html


def test_explain_prefers_the_longer_term():
    page = explain("<p>A purchase occasion counts.</p>")
    assert ">purchase occasion</abbr>" in page
    assert page.count("<abbr") == 1


def test_explain_leaves_a_text_without_terms_as_it_is():
    assert explain("<p>Nothing to see.</p>") == "<p>Nothing to see.</p>"


def test_explain_knows_a_term_in_the_plural_and_lists_it_once():
    page = explain("<p>The segments differ.</p><p>One segment.</p>")
    assert page.count("<abbr") == 1
    assert ">segments</abbr>" in page
    assert page.count("<dt>segment</dt>") == 1
