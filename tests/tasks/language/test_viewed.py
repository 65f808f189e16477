import torch

from tevo.structures import Span
from tevo.tasks.language.viewed import interventions, pick, touching

EVIDENCE = (Span(104.0, 108.0),)


def times(watched):
    return watched.times_s.flatten().tolist()


def test_a_window_is_a_video_whose_second_zero_is_its_beginning(video):
    part = video.window(Span(105.0, 110.0))
    assert part.limits == Span(105.0, 110.0) and part.watched.origin_s == 105.0
    assert times(part.watched) == [104.0, 105.0, 106.0, 107.0, 108.0, 109.0, 110.0, 111.0]
    assert times(video.watched) == [100.0 + second for second in range(20)]  # the video itself is as it was


def test_views_show_what_they_say(video):
    views = interventions(video, EVIDENCE, torch.Generator().manual_seed(0), controls=True)
    inside, whole = set(times(views["key"])), set(times(video.watched))
    assert views["without_video"] is None
    assert set(times(views["masked"])) | inside == whole and not set(times(views["masked"])) & inside
    assert {104.0, 105.0, 106.0, 107.0} <= inside <= {float(s) for s in range(102, 110)}
    assert not set(times(views["random"])) & {104.0, 105.0, 106.0, 107.0}
    assert times(views["shuffled"]) == times(video.watched)
    values = views["shuffled"].values
    assert not torch.equal(values, video.watched.values)
    assert torch.equal(values.sum(1), video.watched.values.sum(1).to(values)) or torch.allclose(
        values.sum(1), video.watched.values.sum(1), atol=1e-4
    )


def test_dear_views_are_left_out_on_demand(video):
    views = interventions(video, EVIDENCE, torch.Generator(), controls=False)
    assert set(views) == {"without_video", "key", "random"}


def test_where_nothing_is_left_there_is_no_video(video):
    assert pick(video.watched, touching(video.watched, ())) is None
    everything = interventions(video, (video.limits,), torch.Generator(), controls=True)
    assert everything["masked"] is None


def test_a_closer_look_is_taken_where_there_is_one(video):
    from dataclasses import replace

    asked = []
    near = replace(video, closer=lambda spans: asked.append(spans) or video.watched)
    assert near.zoomed(EVIDENCE) is video.watched and asked == [EVIDENCE]
    assert near.zoomed(()) is None
    assert video.zoomed(EVIDENCE).num_steps < video.watched.num_steps
