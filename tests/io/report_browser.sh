#!/bin/sh
# report_browser.sh MAKE_REPORT: the reports of tests/io/report/*.json in headless Chromium. 77 = no Chromium.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for json in "$here"/report/*.json; do
    "$1" "$json" "$work/$(basename "$json" .json).html"
done
"$here/../../scripts/check-report" "$work"/*.html
