//! Slurm: `.ci/engines` starts a cluster of three nodes on this machine, and says so.
