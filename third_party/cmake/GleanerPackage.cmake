# What is installed, and the Debian packages `./dev package` makes of it:
#   gleaner-edge   the device's daemon, its systemd unit, a commented configuration
#   gleaner-cloud  the server, its media worker, the page, a systemd unit
#   gleaner-model  the worker that runs models, apart: OpenCV brings in drivers of graphics cards
#   gleaner-cli    the gleaner command, and gleaner-pki, which makes certificates
# Each with its manual pages and completion. dpkg-shlibdeps reads the libraries each depends on from the programs themselves.
include(GNUInstallDirs)

set(deb ${CMAKE_CURRENT_LIST_DIR}/deb)
set(CPACK_COMPONENTS_ALL "")

# gleaner_package(COMPONENT PROGRAMS target… MANUALS page… [SYSTEMD folder] [DOCS file…] [EXAMPLES file…] DESCRIPTION text): the package
# gleaner-COMPONENT. With SYSTEMD it gets that folder's unit, users and folders, and scripts that put them to work.
function(gleaner_package component)
  cmake_parse_arguments(ARG "" "SYSTEMD;DESCRIPTION" "PROGRAMS;MANUALS;DOCS;EXAMPLES" ${ARGN})
  set(name gleaner-${component})
  set(doc ${CMAKE_INSTALL_DATAROOTDIR}/doc/${name})
  install(TARGETS ${ARG_PROGRAMS} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT ${component})
  list(TRANSFORM ARG_DOCS PREPEND ${CMAKE_SOURCE_DIR}/)
  list(TRANSFORM ARG_EXAMPLES PREPEND ${CMAKE_SOURCE_DIR}/)
  install(FILES ${ARG_DOCS} ${CMAKE_SOURCE_DIR}/third_party/LICENSES.md DESTINATION ${doc} COMPONENT ${component})
  install(FILES ${ARG_EXAMPLES} DESTINATION ${doc}/examples COMPONENT ${component})
  install(FILES ${deb}/copyright DESTINATION ${doc} COMPONENT ${component})
  # Completion asks the program itself what it understands, so one script serves all; gleaner-media and gleaner-model are not for people.
  foreach(program ${ARG_PROGRAMS})
    if(NOT program MATCHES "^gleaner-(media|model)$")
      install(FILES ${CMAKE_SOURCE_DIR}/cli/completion.bash RENAME ${program}
              DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/bash-completion/completions COMPONENT ${component})
    endif()
  endforeach()

  set(NAME ${name})
  set(scripts)
  if(ARG_SYSTEMD)
    set(from ${CMAKE_SOURCE_DIR}/${ARG_SYSTEMD})
    file(GLOB units ${from}/*.service ${from}/*.slice)
    install(FILES ${units} DESTINATION lib/systemd/system COMPONENT ${component})
    install(FILES ${from}/${name}.sysusers.conf RENAME ${name}.conf DESTINATION lib/sysusers.d COMPONENT ${component})
    install(FILES ${from}/${name}.tmpfiles.conf RENAME ${name}.conf DESTINATION lib/tmpfiles.d COMPONENT ${component})
    foreach(script postinst prerm postrm)
      configure_file(${deb}/${script}.in ${CMAKE_BINARY_DIR}/deb/${component}/${script} @ONLY
                     FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
                                      WORLD_EXECUTE)
      list(APPEND scripts ${CMAKE_BINARY_DIR}/deb/${component}/${script})
    endforeach()
  endif()

  # Compressed when packed, since the changelog says the version of what was built.
  list(TRANSFORM ARG_MANUALS PREPEND ${CMAKE_SOURCE_DIR}/)
  configure_file(${deb}/documents.cmake.in ${CMAKE_BINARY_DIR}/deb/${component}/documents.cmake @ONLY)
  install(SCRIPT ${CMAKE_BINARY_DIR}/deb/${component}/documents.cmake COMPONENT ${component})

  string(TOUPPER ${component} prefix)
  set(CPACK_DEBIAN_${prefix}_PACKAGE_NAME ${name} PARENT_SCOPE)
  set(CPACK_DEBIAN_${prefix}_DESCRIPTION "${ARG_DESCRIPTION}" PARENT_SCOPE)
  set(CPACK_DEBIAN_${prefix}_PACKAGE_CONTROL_EXTRA "${scripts}" PARENT_SCOPE)
  set(CPACK_COMPONENTS_ALL ${CPACK_COMPONENTS_ALL} ${component} PARENT_SCOPE)
endfunction()

# Users, groups and folders are made by these; where systemd isn't the init, its two small programs do without it.
set(systemd_tools "systemd | systemd-standalone-sysusers, systemd | systemd-standalone-tmpfiles")

if(GLEANER_EDGE)
  gleaner_package(edge PROGRAMS gleaner-edge MANUALS edge/gleaner-edge.8 SYSTEMD edge/systemd
                  DOCS edge/systemd/README.md EXAMPLES docker/gleaner-edge.toml edge/sensor/client/gleaner_sensor.h edge/sensor/client/scale.c edge/sensor/client/checkout.py
                  DESCRIPTION "device daemon of Gleaner: keeps the moments worth keeping
gleaner-edge watches a device's cameras, cuts clips of what its rules look for
into a durable buffer, and hands them to gleaner-cloud. It never slows the
device's main work, fills its disk, floods its network or loses a clip.")
  set(CPACK_DEBIAN_EDGE_PACKAGE_DEPENDS ${systemd_tools})
  # Opened at run time, and only for V4L2 cameras: it brings in SDL, OpenAL and X11.
  file(REAL_PATH ${DEP_AVDEVICE_avdevice} avdevice)
  string(REGEX REPLACE ".*\\.so\\.([0-9]+).*" "libavdevice\\1" avdevice ${avdevice})
  set(CPACK_DEBIAN_EDGE_PACKAGE_RECOMMENDS ${avdevice})
endif()
if(GLEANER_CLOUD)
  gleaner_package(cloud PROGRAMS gleaner-cloud gleaner-media
                  MANUALS cloud/gleaner-cloud.8 cloud/media/worker/gleaner-media.8 SYSTEMD cloud/systemd
                  EXAMPLES docker/gleaner-cloud.toml docker/prometheus/rules.yml
                  DESCRIPTION "server of Gleaner: takes clips in, checks and shows them
gleaner-cloud receives clips from devices over mutual TLS, makes them durable
and verifies them before it says so, indexes them and serves a page to look
through them.")
  gleaner_package(model PROGRAMS gleaner-model MANUALS cloud/model/worker/gleaner-model.8
                  DESCRIPTION "worker of Gleaner's server that runs models
gleaner-model looks at pictures with a model in ONNX, in a sandbox. The server
starts it for the models that its configuration names, and works without it.")
  # The page is built by `./dev build`, beside and not by CMake.
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/cloud/web/dist/ DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/gleaner/web
          COMPONENT cloud OPTIONAL)
  set(CPACK_DEBIAN_CLOUD_PACKAGE_DEPENDS ${systemd_tools})
  set(CPACK_DEBIAN_CLOUD_PACKAGE_RECOMMENDS gleaner-cli)
  set(CPACK_DEBIAN_CLOUD_PACKAGE_SUGGESTS gleaner-model)
endif()
if(GLEANER_CLI)
  gleaner_package(cli PROGRAMS gleaner MANUALS cli/gleaner.1 cli/gleaner-pki.1 DOCS common/tuf/README.md
                  DESCRIPTION "command line of Gleaner: devices, clips, certificates
gleaner asks a Gleaner server for its devices and clips, and fetches clips with
their digests checked, and signs what devices run. gleaner-pki makes the
certificates that servers and devices know each other by.")
  install(PROGRAMS ${CMAKE_SOURCE_DIR}/cli/gleaner-pki DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT cli)
  set(CPACK_DEBIAN_CLI_PACKAGE_DEPENDS openssl)
  # It was part of the server's package.
  set(CPACK_DEBIAN_CLI_PACKAGE_BREAKS "gleaner-cloud (<= 0.1.0)")
  set(CPACK_DEBIAN_CLI_PACKAGE_REPLACES "gleaner-cloud (<= 0.1.0)")
endif()
if(NOT CPACK_COMPONENTS_ALL)
  return()
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR Gleaner)
set(CPACK_PACKAGE_CONTACT "The Gleaner authors <authors@gleaner.invalid>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION video)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# CPack would say the architecture that builds, not the one that is built for.
if(GLEANER_ARCH)
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${GLEANER_ARCH})
endif()
# The version of the programs that are packed, which may be of a later commit than the one that was configured.
configure_file(${deb}/version.cmake.in ${CMAKE_BINARY_DIR}/deb/version.cmake @ONLY)
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_BINARY_DIR}/deb/version.cmake)
include(CPack)
