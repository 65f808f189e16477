"""``python -m tevo`` is ``tevo``; torchrun and SLURM start it this way."""

from tevo.cli import main

if __name__ == "__main__":
    main()
