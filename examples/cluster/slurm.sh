#!/bin/bash
# One search on several nodes of a Slurm cluster: sbatch examples/cluster/slurm.sh
#SBATCH --job-name=nasbench
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=16
#SBATCH --time=24:00:00
#SBATCH --signal=B:INT@120
# The line above interrupts the search two minutes before the end; submitted again, the same job goes on.
set -euo pipefail

# The same environment on every node: python -m venv, then pip install 'nasbench-suite[ray]' on a file system that all of them see.
source "$HOME/nasbench/.venv/bin/activate"
RESULTS="$SLURM_SUBMIT_DIR/results/nasnet-ppo.h5"

# Whoever has the token may use the cluster; it is this job's own. Ray's folder needs a short path on a local disk.
export RAY_AUTH_MODE=token
RAY_AUTH_TOKEN="$(openssl rand -hex 32)"
export RAY_AUTH_TOKEN
export RAY_TMPDIR="/tmp/ray-$SLURM_JOB_ID"

HEAD="$(hostname)"
PORT=6379
ADDRESS="$HEAD:$PORT"

srun --overlap --nodes=1 --ntasks=1 --nodelist="$HEAD" \
  ray start --head --port="$PORT" --temp-dir="$RAY_TMPDIR" --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="$SLURM_GPUS_PER_NODE" --block &
until ray status --address "$ADDRESS" >/dev/null 2>&1; do sleep 2; done

OTHERS=$((SLURM_JOB_NUM_NODES - 1))
if [ "$OTHERS" -gt 0 ]; then
  srun --overlap --nodes="$OTHERS" --ntasks="$OTHERS" --exclude="$HEAD" \
    ray start --address="$ADDRESS" --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="$SLURM_GPUS_PER_NODE" --block &
fi
sleep 20 # nodes that come later are used, too

# The search runs on the first node, and the results file is written there only.
nasbench run --space nasnet --strategy ppo --data cifar10 --protocol nasnet2017 --budget "2000 gpu-hours" \
  --executor ray --address "$ADDRESS" --gpus-per-child 0.25 --cpus-per-child 2 --accelerator A100 -o "$RESULTS" &
SEARCH=$!
trap 'kill -INT "$SEARCH"' INT TERM
wait "$SEARCH" || wait "$SEARCH"
