"""Names of tests are short, and the same in every process that collects them."""

from __future__ import annotations

import gzip

import pytest

CONTENT = b"0,1,2\n" * 50


@pytest.mark.parametrize("content", [CONTENT, gzip.compress(CONTENT) + bytes(200), CONTENT.decode(), b"short", ""])
def test_long_contents_are_named_by_their_length(content, request):
    callspec = request.node.callspec
    if len(content) > 200:
        kind = "characters" if isinstance(content, str) else "bytes"
        assert callspec.id.startswith(f"content of {len(content)} {kind}")
    else:
        assert "bytes" not in callspec.id


def test_no_name_holds_a_file(request):
    # scikit-learn names its checks itself, by the estimator's printed form.
    names = [item.nodeid for item in request.session.items if "test_scikit_learn_checks" not in item.nodeid]
    assert max(map(len, names)) < 500
