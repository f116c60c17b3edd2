# Every library that comes from elsewhere, as an imported target. All of them are Debian 12 packages; the lists in
# third_party/packages/ install them, third_party/LICENSES.md names their licences.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(absl REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(CLI11 QUIET)
find_package(SQLite3 REQUIRED)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

# Header-only or without a CMake package of their own.
function(gleaner_find_library target header)
  cmake_parse_arguments(ARG "" "" "LIBS;SUFFIXES" ${ARGN})
  string(TOUPPER ${target} var)
  find_path(${var}_INCLUDE ${header} PATH_SUFFIXES ${ARG_SUFFIXES} REQUIRED)
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} INTERFACE ${${var}_INCLUDE})
  foreach(lib ${ARG_LIBS})
    find_library(${var}_${lib} ${lib} REQUIRED)
    target_link_libraries(${target} INTERFACE ${${var}_${lib}})
  endforeach()
endfunction()

gleaner_find_library(dep_cli11 CLI/CLI.hpp)
gleaner_find_library(dep_json nlohmann/json.hpp)
gleaner_find_library(dep_xxhash xxhash.h LIBS xxhash)

if(GLEANER_EDGE OR GLEANER_CLOUD)
  gleaner_find_library(dep_ffmpeg libavformat/avformat.h LIBS avformat avcodec avutil swscale
                       SUFFIXES ${CMAKE_LIBRARY_ARCHITECTURE})
  # PEGTL reads the two little languages: rules on the device, filters in the cloud.
  gleaner_find_library(dep_pegtl tao/pegtl.hpp)
endif()
if(GLEANER_EDGE)
  gleaner_find_library(dep_avdevice libavdevice/avdevice.h LIBS avdevice SUFFIXES ${CMAKE_LIBRARY_ARCHITECTURE})
  gleaner_find_library(dep_aio libaio.h LIBS aio)
  gleaner_find_library(dep_openh264 wels/codec_api.h LIBS openh264)
  gleaner_find_library(dep_systemd systemd/sd-daemon.h LIBS systemd)
  gleaner_find_library(dep_zxing ZXing/ReadBarcode.h LIBS ZXing)
endif()
if(GLEANER_EDGE OR GLEANER_CLOUD)
  find_package(SQLiteCpp REQUIRED)
endif()
if(GLEANER_CLI OR GLEANER_TESTS)
  # Debian's is a compiled library: the three switches it was built with change the layout of its classes, so they must be ours too.
  gleaner_find_library(dep_httplib httplib.h LIBS cpp-httplib)
  target_compile_definitions(dep_httplib INTERFACE CPPHTTPLIB_OPENSSL_SUPPORT CPPHTTPLIB_ZLIB_SUPPORT
                             CPPHTTPLIB_BROTLI_SUPPORT)
endif()
if(GLEANER_CLI)
  # What labelling tools export as XML.
  gleaner_find_library(dep_expat expat.h LIBS expat)
endif()
if(GLEANER_CLOUD OR GLEANER_CLI)
  find_package(ZLIB REQUIRED)
  # HTTP to servers that need not be honest: S3's stores, repositories of releases.
  find_package(CURL REQUIRED)
endif()
if(GLEANER_CLOUD)
  # Networks, and the pictures that they look at: gleaner-model alone links them.
  gleaner_find_library(dep_opencv_dnn opencv2/dnn.hpp LIBS opencv_dnn opencv_imgproc opencv_core SUFFIXES opencv4)
  gleaner_find_library(dep_turbojpeg turbojpeg.h LIBS turbojpeg)
  # Asio and Beast, headers only. They cost seconds a file: cloud/http/ includes them in three.
  # Header only: neighbours in a graph, for similarity beyond a million frames.
  gleaner_find_library(dep_hnswlib hnswlib/hnswlib.h)
  gleaner_find_library(dep_boost boost/beast/http.hpp)
  gleaner_find_library(dep_seccomp seccomp.h LIBS seccomp)
  gleaner_find_library(dep_pqxx pqxx/pqxx LIBS pqxx pq)
  # What S3's stores answer in XML.
  gleaner_find_library(dep_pugixml pugixml.hpp LIBS pugixml)
  find_package(prometheus-cpp CONFIG REQUIRED)
endif()
if(GLEANER_TESTS)
  find_package(GTest REQUIRED)
  find_package(benchmark REQUIRED)
endif()
