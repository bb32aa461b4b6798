# Shared by the scripts: where we are, and how sections are announced. Sourced, not run.

cd "$(dirname "$0")/.." || exit 1
script_started=$(date +%s)
section_name=""
section_started=$script_started

# section NAME: ends the one before with its time, and begins another.
section() {
    section_end
    section_name=$1
    section_started=$(date +%s)
    printf '\n==> %s\n' "$section_name"
}

section_end() {
    if [ -n "$section_name" ]; then
        printf '    %s: %s s\n' "$section_name" "$(($(date +%s) - section_started))"
    fi
    section_name=""
}

die() {
    printf '%s: %s\n' "$0" "$1" >&2
    exit 1
}
