# Sanitized libraries would need a sanitized consumer: the install test belongs to the plain builds.
if(NOT SOWER_SANITIZE)
    add_test(NAME install/consumer COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/install/install.sh" "${CMAKE_BINARY_DIR}" "${CMAKE_SOURCE_DIR}")
endif()
