#!/bin/bash
#SBATCH --job-name=fit
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --output=fit-%j.log
#SBATCH --open-mode=append
# Usage: sbatch fit.sh COMMAND OF bayes-mdd, for example: sbatch fit.sh fit shared_specific COHORT -o RUN
# Two minutes before the time limit the command is told to stop in order, and the job is queued again;
# the same command then continues.
set -u
bayes-mdd "$@" &
command=$!
trap 'kill -TERM "$command"' TERM
wait "$command"
status=$?
# A signal to this script ends `wait` before the command has stopped.
while kill -0 "$command" 2>/dev/null; do
    wait "$command"
    status=$?
done
if [ "$status" -eq 143 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
