# For another of Debian's processors, with -DGLEANER_ARCH=arm64: its compiler (crossbuild-essential-arm64) on this machine,
# its libraries where multiarch puts them (…-dev:arm64).
set(GLEANER_ARCH "" CACHE STRING "What Debian calls the processor, for example arm64")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES GLEANER_ARCH)
execute_process(COMMAND dpkg-architecture -a ${GLEANER_ARCH} -q DEB_HOST_GNU_TYPE OUTPUT_VARIABLE triplet
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND dpkg-architecture -a ${GLEANER_ARCH} -q DEB_HOST_GNU_CPU OUTPUT_VARIABLE CMAKE_SYSTEM_PROCESSOR
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET COMMAND_ERROR_IS_FATAL ANY)
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_C_COMPILER ${triplet}-gcc)
set(CMAKE_CXX_COMPILER ${triplet}-g++)
# What pkg-config finds is of that processor too.
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/${triplet}/pkgconfig:/usr/share/pkgconfig)
