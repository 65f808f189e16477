"""A role is of use on the backbone it was trained on, and on no other."""

from pathlib import Path

import pytest

from tevo.backbones import Backbone, BackboneSpec, build_backbone
from tevo.errors import TevoError
from tevo.tasks.matching import check_same, describe_backbone, rebuild_backbone

FOLDER = Path("hf/round-3/solver")


class Wordless(Backbone):
    """A video tower without text."""

    spec = BackboneSpec("wordless", 3, 8, 1, 2.0, "wordless")

    def encode_video(self, frames, times_s):
        raise AssertionError("not reached")


@pytest.mark.parametrize("name", ["clip_tiny", "videomae_tiny", "internvid_tiny"])
def test_a_registered_backbone_is_built_again_by_its_name(name, stand_in_weights):
    facts = describe_backbone(build_backbone(name))
    assert facts["name"] == name
    again = rebuild_backbone(FOLDER, facts)
    assert type(again).__name__ == facts["class_path"].rpartition(".")[2]
    check_same(FOLDER, facts, again)


def test_a_backbone_without_a_registered_name_must_be_given(colours):
    facts = describe_backbone(colours())
    assert facts["name"] is None
    assert facts["class_path"] == f"{colours.__module__}.Colours"
    with pytest.raises(TevoError, match=r"Colours, which has no registered name; .*backbone=Colours\(\.\.\.\)"):
        rebuild_backbone(FOLDER, facts)
    check_same(FOLDER, facts, colours())


def test_a_name_that_is_not_registered_here(colours):
    facts = describe_backbone(colours()) | {"name": "somebodys_net"}
    with pytest.raises(TevoError, match=r"'somebodys_net', a name that nothing here registers"):
        rebuild_backbone(FOLDER, facts)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"fingerprint": "others"}, r"architecture, weights or preprocessing \(saved 'colours', here 'others'\)"),
        ({"width": 5}, r"width of its tokens \(saved 3, here 5\), the width of the space it shares with text"),
    ],
)
def test_another_backbone_is_refused_by_what_differs(colours, other, said):
    with pytest.raises(TevoError, match=said):
        check_same(FOLDER, describe_backbone(colours()), colours(**other))


def test_other_weights_under_the_same_name_are_refused(stand_in_weights):
    facts = describe_backbone(build_backbone("clip_tiny", pretrained=None))
    with pytest.raises(TevoError, match=r"trained on clip_tiny; .*clip_tiny, differs in its architecture, weights"):
        check_same(FOLDER, facts, rebuild_backbone(FOLDER, facts))


def test_another_text_tower_is_refused(stand_in_weights):
    facts = describe_backbone(build_backbone("videomae_tiny"))
    tower = build_backbone("clip_tiny", pretrained=None)
    with pytest.raises(TevoError, match=r"differs in the text tower it is paired with"):
        check_same(FOLDER, facts, build_backbone("videomae_tiny", text_tower=tower))


def test_a_backbone_without_text_is_refused(colours):
    with pytest.raises(TevoError, match="Wordless has no encode_text"):
        check_same(FOLDER, describe_backbone(colours()), Wordless())
