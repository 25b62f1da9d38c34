# Debian and Ubuntu package names stand in scripts/packages.txt; a missing library says which package to install.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(sow_require target package debian)
    pkg_check_modules(${target} IMPORTED_TARGET ${package})
    if(NOT ${target}_FOUND)
        message(FATAL_ERROR "sower needs ${package}: apt-get install ${debian} (or run scripts/quickstart)")
    endif()
    set(${target}_VERSION "${${target}_VERSION}" PARENT_SCOPE)
    set_property(GLOBAL APPEND PROPERTY SOWER_PKGS ${package})
endfunction()

sow_require(HDF5 hdf5 libhdf5-dev)
sow_require(OPENBLAS openblas libopenblas-dev)
sow_require(LAPACKE lapacke liblapacke-dev)
sow_require(YAML yaml-0.1 libyaml-dev)
sow_require(SQLITE sqlite3 libsqlite3-dev)
sow_require(JANSSON jansson libjansson-dev)
sow_require(ZLIB zlib zlib1g-dev)
sow_require(NETTLE nettle nettle-dev)

# AUTO: used where it is there. igraph 1 has other functions.
pkg_check_modules(IGRAPH IMPORTED_TARGET "igraph>=0.10" "igraph<1")
if(IGRAPH_FOUND)
    set_property(GLOBAL APPEND PROPERTY SOWER_PKGS igraph)
endif()
