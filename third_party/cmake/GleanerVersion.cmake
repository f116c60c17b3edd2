# The version that programs and packages say: WriteVersion.cmake tells how it is made up. It is found at each build, not at
# configuring, and stands in one generated source that only programs are linked with, so a commit costs one file and their linking.
set(GLEANER_VERSION "" CACHE STRING "The full version, where the sources come without their history")
set(GLEANER_VERSION_FILE ${CMAKE_BINARY_DIR}/version.txt)

add_custom_target(gleaner_version_files
  COMMAND ${CMAKE_COMMAND} -DBASE=${PROJECT_VERSION} -DSOURCE_DIR=${CMAKE_SOURCE_DIR} -DVERSION=${GLEANER_VERSION}
          -DTEMPLATE=${CMAKE_SOURCE_DIR}/common/version.cpp.in -DSOURCE=${CMAKE_BINARY_DIR}/version.cpp
          -DTEXT=${GLEANER_VERSION_FILE} -P ${CMAKE_CURRENT_LIST_DIR}/WriteVersion.cmake
  BYPRODUCTS ${CMAKE_BINARY_DIR}/version.cpp ${GLEANER_VERSION_FILE}
  COMMENT "Which version this is" VERBATIM)
add_library(gleaner_version OBJECT ${CMAKE_BINARY_DIR}/version.cpp)
target_include_directories(gleaner_version PRIVATE ${CMAKE_SOURCE_DIR})
add_dependencies(gleaner_version gleaner_version_files)

# Tests don't ship: they say the version without its commit, and a commit doesn't link all of them anew.
set(GLEANER_VERSION ${PROJECT_VERSION})
configure_file(${CMAKE_SOURCE_DIR}/common/version.cpp.in ${CMAKE_BINARY_DIR}/version_of_tests.cpp @ONLY)
unset(GLEANER_VERSION)
add_library(gleaner_version_of_tests OBJECT ${CMAKE_BINARY_DIR}/version_of_tests.cpp)
target_include_directories(gleaner_version_of_tests PRIVATE ${CMAKE_SOURCE_DIR})
