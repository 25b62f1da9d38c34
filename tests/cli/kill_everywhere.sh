# kill.sh at every point where a change of the file system could be cut in half.
EVERY=1
export EVERY
. "$(dirname "$0")/kill.sh"
