import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tevo.strict_json import parse_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_what_was_written_is_read(value):
    assert parse_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"a": 1, "b": {"c": 2, "c": 3}}', "'c' stands twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": 1', "Expecting"),
    ],
)
def test_what_cannot_be_meant_is_refused(text, fault):
    with pytest.raises(ValueError, match=fault):
        parse_json(text)
