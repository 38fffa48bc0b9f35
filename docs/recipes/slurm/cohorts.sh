#!/bin/bash
#SBATCH --job-name=cohorts
#SBATCH --array=0-19
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --output=cohorts-%A-%a.log
#SBATCH --open-mode=append
# Usage: sbatch cohorts.sh LIST RUNS [options of fit]
# LIST: one cohort folder per line; task N fits line N, counted from 0.
set -euo pipefail
cohort=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" "$1")
if [ -z "$cohort" ]; then
    echo "Line $((SLURM_ARRAY_TASK_ID + 1)) of $1 is empty: nothing to do."
    exit 0
fi
status=0
bayes-mdd fit shared_specific "$cohort" -o "$2/$(basename "$cohort")" \
    --set "sampler.cores=${SLURM_CPUS_PER_TASK:-1}" "${@:3}" || status=$?
# Status 1: the run is complete, and a check of it failed.
[ "$status" -eq 1 ] || exit "$status"
