"""MVBench and TVBench: one file a task, whose name is the task; parts of videos; one task of pictures."""

from dataclasses import replace

from tevo.data.readers.benchmark import FILE, NUMBER, Benchmark, Column, Layout, joined, maybe

# Where the videos of a task lie: whole ones first, then those that the authors cut to the part that is shown.
_FOLDERS = {
    "object_interaction": ("star/Charades_v1_480", "star/Charades_segment"),
    "action_sequence": ("star/Charades_v1_480", "star/Charades_segment"),
    "action_prediction": ("star/Charades_v1_480", "star/Charades_segment"),
    "action_localization": ("sta/sta_video", "sta/sta_video_segment"),
    "moving_count": ("clevrer/video_validation",),
    "fine_grained_pose": ("nturgbd", "nturgbd_convert"),
    "character_order": ("perception/videos",),
    "object_shuffle": ("perception/videos",),
    "egocentric_navigation": ("vlnqa",),
    "moving_direction": ("clevrer/video_validation",),
    "episodic_reasoning": ("tvqa/frames_fps3_hq", "tvqa/video_fps3_hq_segment"),
    "fine_grained_action": ("Moments_in_Time_Raw/videos",),
    "scene_transition": ("scene_qa/video",),
    "state_change": ("perception/videos",),
    "moving_attribute": ("clevrer/video_validation",),
    "action_antonym": ("ssv2_video", "ssv2_video_mp4"),
    "unexpected_action": ("FunQA_test/test",),
    "counterfactual_inference": ("clevrer/video_validation",),
    "object_existence": ("clevrer/video_validation",),
    "action_count": ("perception/videos",),
}
CUT = ("Charades_segment", "sta_video_segment", "video_fps3_hq_segment")


def _mvbench_places(task: str, video: str) -> list[str]:
    return [f"{folder}/{video}" for folder in (*_FOLDERS.get(task, ()), task)]


def _tvbench_places(task: str, video: str) -> list[str]:
    return [f"{task}/{video}"]


def _part(start: object, end: object) -> list[object] | None:
    return None if start is None and end is None else [start, end]


_MVBENCH = Layout(
    id=joined(FILE, NUMBER),
    video=Column((FILE, "video"), _mvbench_places),
    text="question",
    options="candidates",
    answer="answer",
    answer_as="last_text",
    shown=Column((), _part, also=("start", "end")),
    cut_in=CUT,
    frame_rate=maybe("fps"),
    groups={"task": FILE},
    ignored=("accurate_start", "accurate_end", "subtitle", "question_id"),
)
_TVBENCH = replace(_MVBENCH, video=Column((FILE, "video"), _tvbench_places))
MVBENCH = Benchmark(
    name="mvbench",
    title="MVBench",
    source="https://huggingface.co/datasets/OpenGVLab/MVBench",
    layouts=(_MVBENCH,),
    files=("json/*.json", "*.json"),
    folders=("video", "videos", "data0613"),
    sizes={"test": 4000},
)
TVBENCH = Benchmark(
    name="tvbench",
    title="TVBench",
    source="https://huggingface.co/datasets/FunAILab/TVBench",
    layouts=(_TVBENCH,),
    files=("json/*.json", "*.json"),
    folders=("video", "videos"),
    sizes={"test": 2525},
)
