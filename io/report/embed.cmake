# cmake -DOUT=assets.c -DFILES="name=path;..." -P embed.cmake: each file as a NUL-terminated byte array `sow_i_report_NAME`.
# Arrays and not string literals: a literal has a length limit in C17 and trigraphs would bite minified JavaScript.
set(text "#include \"io/report_internal.h\"\n")
foreach(_entry IN LISTS FILES)
    string(REGEX MATCH "^([a-z_]+)=(.*)$" _ "${_entry}")
    set(_name "${CMAKE_MATCH_1}")
    file(READ "${CMAKE_MATCH_2}" _hex HEX)
    # without "//# sourceMappingURL=...", which developer tools would try to load
    string(REGEX REPLACE "2f2f2320736f757263654d617070696e6755524c3d[0-9a-f]*$" "" _hex "${_hex}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," _hex "${_hex}")
    string(APPEND text "const unsigned char sow_i_report_${_name}[] = {${_hex}0};\n")
endforeach()
file(WRITE "${OUT}" "${text}")
