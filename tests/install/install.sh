#!/bin/sh
# Installs into a temporary prefix and builds a consumer by CMake package (static and shared) and by pkg-config. usage: install.sh BUILD_DIR SOURCE_DIR
set -eu
build=$1
source=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cmake --install "$build" --prefix "$dir/prefix" > "$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
for header in core/status.h io/config.h models/model.h acquisition/strategy.h simulator/oracle.h planner/campaign.h; do
    [ -f "$dir/prefix/include/sower/$header" ] || { echo "missing header $header"; exit 1; }
done
[ -z "$(find "$dir/prefix/include" -name '*_internal.h')" ] || { echo "internal headers are installed"; exit 1; }

cmake -S "$source/tests/install" -B "$dir/cmake" -DCMAKE_PREFIX_PATH="$dir/prefix" > "$dir/log" 2>&1 && cmake --build "$dir/cmake" >> "$dir/log" 2>&1 ||
    { cat "$dir/log"; exit 1; }
"$dir/cmake/consumer_static"
"$dir/cmake/consumer_shared"

pc=$(dirname "$(find "$dir/prefix" -name sower.pc)")
flags=$(PKG_CONFIG_PATH=$pc pkg-config --define-variable=prefix="$dir/prefix" --cflags --libs sower)
# shellcheck disable=SC2086
cc "$source/tests/install/consumer.c" -o "$dir/by_pkg_config" $flags
LD_LIBRARY_PATH=$(dirname "$pc") "$dir/by_pkg_config"
"$dir/prefix/bin/sower" version
