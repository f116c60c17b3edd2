# What is installed, and the Debian packages `./dev package` makes of it:
#   gleaner-edge   the device's daemon, its systemd unit, a commented configuration
#   gleaner-cloud  the server, its media worker, the page, the gleaner command, a systemd unit
# dpkg-shlibdeps reads the libraries each depends on from the programs themselves.
include(GNUInstallDirs)

# install_extra(COMPONENT DESTINATION FILE…): files of this tree; those that aren't there are left out.
function(install_extra component destination)
  foreach(file ${ARGN})
    if(EXISTS ${CMAKE_SOURCE_DIR}/${file})
      install(FILES ${file} DESTINATION ${destination} COMPONENT ${component})
    endif()
  endforeach()
endfunction()

# install_side(SIDE): what the package gleaner-SIDE holds besides its programs, and what it says of itself.
function(install_side side description)
  set(name gleaner-${side})
  set(doc ${CMAKE_INSTALL_DATAROOTDIR}/doc/${name})
  install_extra(${side} lib/systemd/system ${side}/systemd/${name}.service ${side}/systemd/gleaner.slice)
  install_extra(${side} lib/sysusers.d ${side}/systemd/${name}.sysusers.conf)
  install_extra(${side} lib/tmpfiles.d ${side}/systemd/${name}.tmpfiles.conf)
  install_extra(${side} ${doc}/examples docker/${name}.toml)
  install_extra(${side} ${doc} third_party/LICENSES.md)
  install(FILES LICENSE DESTINATION ${doc} RENAME copyright COMPONENT ${side})

  set(UNIT ${name}.service)
  set(scripts)
  foreach(script postinst prerm postrm)
    configure_file(${CMAKE_SOURCE_DIR}/third_party/cmake/deb/${script}.in
                   ${CMAKE_BINARY_DIR}/deb/${side}/${script} @ONLY
                   FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
                                    WORLD_READ WORLD_EXECUTE)
    list(APPEND scripts ${CMAKE_BINARY_DIR}/deb/${side}/${script})
  endforeach()

  string(TOUPPER ${side} SIDE)
  set(CPACK_DEBIAN_${SIDE}_PACKAGE_NAME ${name} PARENT_SCOPE)
  set(CPACK_DEBIAN_${SIDE}_DESCRIPTION "${description}" PARENT_SCOPE)
  set(CPACK_DEBIAN_${SIDE}_PACKAGE_CONTROL_EXTRA "${scripts}" PARENT_SCOPE)
  set(CPACK_COMPONENTS_ALL ${CPACK_COMPONENTS_ALL} ${side} PARENT_SCOPE)
endfunction()

set(CPACK_COMPONENTS_ALL "")
if(TARGET gleaner-edge)
  install(TARGETS gleaner-edge RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT edge)
  install_side(edge "Gleaner's device daemon: keeps the moments worth keeping
gleaner-edge watches a device's cameras, cuts clips of what its rules look for into
a durable buffer, and hands them to gleaner-cloud. It never slows the device's main
work, fills its disk, floods its network or loses a clip.")
  # Opened at run time, and only for V4L2 cameras: it brings in SDL, OpenAL and X11.
  set(CPACK_DEBIAN_EDGE_PACKAGE_RECOMMENDS libavdevice59)
endif()
if(TARGET gleaner-cloud)
  install(TARGETS gleaner-cloud RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT cloud)
  foreach(program gleaner-media gleaner)
    if(TARGET ${program})
      install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT cloud)
    endif()
  endforeach()
  # The page is built by `./dev build`, beside and not by CMake.
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/cloud/web/dist/ DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/gleaner/web
          COMPONENT cloud OPTIONAL)
  install_side(cloud "Gleaner's server: takes clips in, checks and shows them
gleaner-cloud receives clips from devices over mutual TLS, makes them durable and
verifies them before it says so, indexes them and serves a page to look through them.
The gleaner command is its client for the terminal.")
endif()
if(NOT CPACK_COMPONENTS_ALL)
  return()
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR Gleaner)
set(CPACK_PACKAGE_CONTACT "The Gleaner authors <authors@gleaner.invalid>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_OUTPUT_FILE_PREFIX ${CMAKE_SOURCE_DIR}/build/packages)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION video)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# The version of the programs that are packed, which may be of a later commit than the one that was configured.
configure_file(${CMAKE_CURRENT_LIST_DIR}/deb/version.cmake.in ${CMAKE_BINARY_DIR}/deb/version.cmake @ONLY)
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_BINARY_DIR}/deb/version.cmake)
include(CPack)
