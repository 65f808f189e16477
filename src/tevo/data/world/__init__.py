"""The procedural world: real mp4 files whose events are known exactly."""

from tevo.data.world.generate import generate as generate
