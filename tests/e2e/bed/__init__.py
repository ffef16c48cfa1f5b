"""The test bed: task containers as ECS starts them, and the servers that a job talks to. Standard library only."""
