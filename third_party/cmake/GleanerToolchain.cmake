# How everything is compiled: C++20, ccache if there, warnings, sanitizers, hardening.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_LINK_WHAT_YOU_USE OFF)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Presets set these for configuring only; a build started by hand needs them too, so they travel in the launcher.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      CCACHE_NOHASHDIR=true CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

# Paths in debug information are relative, so that two checkouts share one cache and builds are reproducible.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -fdiagnostics-color=auto)
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  # -g1 keeps backtraces with lines at a third of the link time and size of -g.
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
endif()

add_library(gleaner_warnings INTERFACE)
target_compile_options(gleaner_warnings INTERFACE -Wall -Wextra -Wno-missing-field-initializers)

if(GLEANER_SANITIZE)
  add_compile_options(-fsanitize=${GLEANER_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g1 -O1)
  add_link_options(-fsanitize=${GLEANER_SANITIZE})
endif()
if(GLEANER_FUZZ)
  # What libFuzzer steers by: which branches an input took. Its main() is linked to the targets only.
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
endif()
if(GLEANER_HARDENING)
  # Where a jump may land: each processor has its own way, and a compiler knows only that of its own.
  include(CheckCXXCompilerFlag)
  foreach(flag -fcf-protection -mbranch-protection=standard)
    string(MAKE_C_IDENTIFIER HAVE${flag} have)
    check_cxx_compiler_flag(${flag} ${have})
    if(${have})
      add_compile_options(${flag})
    endif()
  endforeach()
  add_compile_options(-fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -D_GLIBCXX_ASSERTIONS)
  add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack -pie)
endif()
if(GLEANER_CRASH_POINTS)
  add_compile_definitions(GLEANER_CRASH_POINTS=1)
endif()
