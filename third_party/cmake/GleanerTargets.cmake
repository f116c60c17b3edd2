# One way to declare a room, a program, a test and a fuzz target.
include(GoogleTest)

# gleaner_library(NAME [DEPS …]): a static library of every .cpp in this folder except main.cpp, and except a room's
# …_room.cpp, which is the server's (cloud/room.h).
function(gleaner_library name)
  cmake_parse_arguments(ARG "" "" "DEPS;EXCLUDE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "(/main|_room)\\.cpp$")
  foreach(pattern ${ARG_EXCLUDE})
    list(FILTER sources EXCLUDE REGEX "${pattern}")
  endforeach()
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE gleaner_warnings)
endfunction()

# gleaner_program(NAME SOURCES … DEPS …)
function(gleaner_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES} $<TARGET_OBJECTS:gleaner_version>)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} gleaner_warnings)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# gleaner_test(NAME DEPS … [FIELD …] [LABELS …] [TIMEOUT seconds] [SERIAL]): one GoogleTest program of every *_test.cpp in this folder. ctest runs
# each suite's tests one by one, so that each stands in the summary; with PER_PROGRAM the whole program is one ctest entry; SERIAL: nothing runs beside it.
# FIELD: patterns of the tests (Suite.*) that are of what real cameras and networks do. They bear the label `field` as well.
function(gleaner_test name)
  cmake_parse_arguments(ARG "PER_PROGRAM;SERIAL" "TIMEOUT" "DEPS;FIELD;LABELS;SOURCES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cpp)
  if(ARG_SOURCES)
    set(sources ${ARG_SOURCES})
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${sources} $<TARGET_OBJECTS:gleaner_version_of_tests>)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} test_paths gleaner_warnings GTest::gmock_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  set(properties TIMEOUT ${ARG_TIMEOUT})
  if(ARG_SERIAL)
    list(APPEND properties RUN_SERIAL ON)
  endif()
  # Each call on the way to ctest takes a backslash off.
  string(REPLACE ";" "\\\\\\\\\\\\\\;" labels "${ARG_LABELS}")
  string(REPLACE ";" "\\\\\\\\\\\\\\;" field_labels "${ARG_LABELS};field")
  if(ARG_PER_PROGRAM)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES ${properties} LABELS "${ARG_LABELS}")
  else()
    set(filter "*")
    if(ARG_FIELD)
      string(REPLACE ";" ":" field "${ARG_FIELD}")
      set(filter "-${field}")
      gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST TEST_FILTER "${field}"
                           PROPERTIES ${properties} LABELS "${field_labels}")
    endif()
    gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST TEST_FILTER "${filter}"
                         PROPERTIES ${properties} LABELS "${labels}")
  endif()
endfunction()

# gleaner_test_on_postgres(NAME [EXCLUDE PATTERN …]): the tests of NAME once more, on a PostgreSQL server that they start for themselves
# (tests/data/test_database.h); without those that match a PATTERN of GoogleTest's: what is about SQLite's file, or long.
function(gleaner_test_on_postgres name)
  cmake_parse_arguments(ARG "" "" "EXCLUDE" ${ARGN})
  list(JOIN ARG_EXCLUDE ":" excluded)
  add_test(NAME ${name}.on_postgres COMMAND ${name} "--gtest_filter=-${excluded}")
  set_tests_properties(${name}.on_postgres PROPERTIES TIMEOUT 600 ENVIRONMENT GLEANER_TEST_DATABASE=postgres)
endfunction()

# gleaner_test_on_bucket(NAME [ONLY PATTERN] [EXCLUDE PATTERN …] [LABELS …]): the same with objects in a bucket of a radosgw
# (tests/data/test_bucket.h). Where that isn't installed, such tests are skipped.
function(gleaner_test_on_bucket name)
  cmake_parse_arguments(ARG "" "ONLY" "EXCLUDE;LABELS" ${ARGN})
  list(JOIN ARG_EXCLUDE ":" excluded)
  add_test(NAME ${name}.on_bucket COMMAND ${name} "--gtest_filter=${ARG_ONLY}-${excluded}")
  set_tests_properties(${name}.on_bucket PROPERTIES TIMEOUT 1200 ENVIRONMENT GLEANER_TEST_OBJECTS=bucket
                       SKIP_REGULAR_EXPRESSION "needs the packages radosgw" LABELS "${ARG_LABELS}")
endfunction()

# gleaner_fuzz(NAME [FIELD] DEPS …): the fuzz target NAME.cpp as bin/fuzz_NAME. With GLEANER_FUZZ libFuzzer drives it, else it is
# a test that replays its corpus.
function(gleaner_fuzz name)
  cmake_parse_arguments(ARG "FIELD" "" "DEPS" ${ARGN})
  set(driver replay.cpp)
  if(GLEANER_FUZZ)
    set(driver libfuzzer.cpp)
  endif()
  add_executable(fuzz_${name} ${name}.cpp ${driver} $<TARGET_OBJECTS:gleaner_version_of_tests>)
  target_link_libraries(fuzz_${name} PRIVATE ${ARG_DEPS} test_paths gleaner_warnings)
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  if(GLEANER_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_test(NAME fuzz_${name} COMMAND fuzz_${name})
    set_tests_properties(fuzz_${name} PROPERTIES TIMEOUT 120)
    if(ARG_FIELD)
      set_tests_properties(fuzz_${name} PROPERTIES LABELS field)
    endif()
  endif()
endfunction()
