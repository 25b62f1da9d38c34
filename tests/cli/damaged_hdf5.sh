# An HDF5 file with one damaged reference to its text: libhdf5 1.10 reads outside of its memory there. A person sees one line and exit code 2, whatever the
# library does.
. "$(dirname "$0")/lib.sh"
head -c -2 "$source_dir/tests/fuzz/corpus/h5ad-bytes/csr" > whole.h5ad
expect 0 "$SOWER" inspect whole.h5ad
for at in 8204 8220 8236; do # obs/_index begins at 8192: length, address and number in the heap, 4 + 8 + 4 bytes a name
    cp whole.h5ad damaged.h5ad
    printf '\377\377\377\077' | dd of=damaged.h5ad bs=1 seek=$at conv=notrunc 2> dd.log
    refused "damaged.h5ad" -- "$SOWER" inspect damaged.h5ad
    refused "damaged.h5ad" -- "$SOWER" init damaged.h5ad
done
# an entry of the heap that is its own successor: libhdf5 1.10 looks at it for ever, but lets itself be stopped
cp whole.h5ad damaged.h5ad
printf '\360\377\377\377\377\377\377\377' | dd of=damaged.h5ad bs=1 seek=$((2048 + 24)) conv=notrunc 2> dd.log
"$SOWER" inspect damaged.h5ad > out 2> err &
pid=$!
sleep 1
kill -TERM $pid 2> /dev/null
wait $pid
code=$?
[ "$code" = 130 ] || [ "$code" = 2 ] || fail "exit code $code when asked to stop"
exit 0
