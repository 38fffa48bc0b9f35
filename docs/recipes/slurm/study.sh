#!/bin/bash
#SBATCH --job-name=study
#SBATCH --array=0-99
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --time=02:00:00
#SBATCH --requeue
#SBATCH --output=study-%A-%a.log
#SBATCH --open-mode=append
# Usage: sbatch study.sh study.py RESULTS [options of study.py]
set -euo pipefail
export OMP_NUM_THREADS=1
python "$1" run "${@:2}"
