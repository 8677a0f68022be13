"""Response codes: legible, unique, and every mistake of one character or of two neighbours is found."""

from __future__ import annotations

import itertools
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlab.data.codes import ALPHABET, check_character, check_code, normalised, response_codes
from crmlab.errors import ParameterError

bodies = st.text(st.sampled_from(ALPHABET), min_size=3, max_size=27)


def test_alphabet_has_no_characters_that_look_alike():
    assert len(ALPHABET) == len(set(ALPHABET)) == 29
    assert not set(ALPHABET) & set("0O1I")
    for pair in ("2Z", "5S", "8B"):
        assert len(set(pair) & set(ALPHABET)) == 1
    assert set(ALPHABET) <= set(string.ascii_uppercase + string.digits)


def test_weights_find_every_single_mistake_and_every_swap_of_neighbours():
    # The whole proof, for any length: a code is good where the sum of weight × place is 0 modulo 29. A wrong character at one
    # place moves the sum by weight × difference; two neighbours changed round by the difference of weights × difference.
    size = len(ALPHABET)
    weights = [pow(2, place, size) for place in range(28)]
    for weight, following in itertools.pairwise([*weights, None]):
        for difference in range(1, size):
            assert weight * difference % size != 0
            if following is not None:
                assert (weight - following) * difference % size != 0


def test_check_character_is_that_of_the_weights():
    for body in ("AYADH", "234", ALPHABET[:27]):
        places = [ALPHABET.index(character) for character in body + check_character(body)]
        assert sum(pow(2, k, 29) * place for k, place in enumerate(reversed(places))) % 29 == 0


def test_every_code_of_three_characters_and_every_mistake_in_it():
    # Exhaustive: all 24,389 codes with 3 characters before the last; all 112 wrong characters; all 3 swaps of neighbours.
    size = len(ALPHABET)
    body = np.array(list(itertools.product(range(size), repeat=3)))
    last = np.array([ALPHABET.index(check_character("".join(ALPHABET[i] for i in row))) for row in body])
    codes = np.column_stack([body, last])
    weights = np.array([8, 4, 2, 1])
    good = set(map(tuple, codes))
    assert len(good) == size**3
    assert (codes @ weights % size == 0).all()
    for place in range(4):
        for shift in range(1, size):
            wrong = codes.copy()
            wrong[:, place] = (wrong[:, place] + shift) % size
            assert (wrong @ weights % size != 0).all()
    for place in range(3):
        swapped = codes.copy()
        swapped[:, [place, place + 1]] = swapped[:, [place + 1, place]]
        differ = codes[:, place] != codes[:, place + 1]
        assert (swapped[differ] @ weights % size != 0).all()


@pytest.mark.parametrize("body", ["AYADH", "22222", "YYYYY", "A2", "X" * 27])
def test_check_code_finds_every_mistake(body):
    body = body if len(body) > 2 else body + "C"
    code = body + check_character(body)
    assert check_code(code)
    for place, character in itertools.product(range(len(code)), string.ascii_uppercase + string.digits):
        if character != code[place]:
            assert not check_code(code[:place] + character + code[place + 1 :])
    for place in range(len(code) - 1):
        if code[place] != code[place + 1]:
            assert not check_code(code[:place] + code[place + 1] + code[place] + code[place + 2 :])


@given(bodies)
def test_codes_are_good_however_they_are_written(body):
    code = body + check_character(body)
    assert check_code(code) and check_code(code.lower()) and check_code(f" {code[:2]}-{code[2:]} ")
    assert normalised(code.lower()) == code


@given(st.text(max_size=12))
def test_check_code_takes_any_text(text):
    assert check_code(text) in (True, False)
    assert not check_code(text) or set(normalised(text)) <= set(ALPHABET)


def test_response_codes_are_unique_and_follow_from_the_names():
    names = [f"cell {number}" for number in range(3000)]
    codes = response_codes(names, "spring")
    assert list(codes) == names
    assert len(set(codes.values())) == 3000
    assert all(map(check_code, codes.values()))
    assert {len(code) for code in codes.values()} == {6}
    assert response_codes(names[::-1], "spring") == codes
    assert response_codes(names[:1], "autumn")[names[0]] != codes[names[0]]


def test_response_codes_pass_over_what_is_taken():
    (code,) = response_codes(["a"], "spring").values()
    (other,) = response_codes(["a"], "spring", taken={code.lower()}).values()
    assert other != code and check_code(other)


@pytest.mark.parametrize("length", [2, 28, True, 5.0])
def test_response_codes_refuse_lengths(length):
    with pytest.raises(ParameterError, match="'length' parameter of response_codes must be between 3 and 27"):
        response_codes(["a"], "spring", length=length)


def test_response_codes_refuse_names_that_come_twice():
    with pytest.raises(ParameterError, match="must be distinct"):
        response_codes(["a", "a"], "spring")
