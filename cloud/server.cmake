# Every room, as the server sees it: rooms.cpp and each room's own …_room.cpp.
file(GLOB room_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*/*_room.cpp)
add_library(cloud_rooms STATIC ${CMAKE_CURRENT_LIST_DIR}/rooms.cpp ${room_sources})
target_include_directories(cloud_rooms PUBLIC ${CMAKE_SOURCE_DIR})
target_link_libraries(cloud_rooms PUBLIC cloud_clips cloud_ledger cloud_s3 PRIVATE gleaner_warnings)
foreach(source ${room_sources})
  cmake_path(GET source PARENT_PATH room)
  cmake_path(GET room FILENAME room)
  target_link_libraries(cloud_rooms PUBLIC cloud_${room})
endforeach()
# The server: the rooms, wired together.
add_library(cloud_server STATIC ${CMAKE_CURRENT_LIST_DIR}/server.cpp ${CMAKE_CURRENT_LIST_DIR}/server_config.cpp
            ${CMAKE_CURRENT_LIST_DIR}/connection_metrics.cpp ${CMAKE_CURRENT_LIST_DIR}/data_commands.cpp
            ${CMAKE_CURRENT_LIST_DIR}/recover.cpp)
target_include_directories(cloud_server PUBLIC ${CMAKE_SOURCE_DIR})
target_link_libraries(cloud_server PUBLIC cloud_rooms cloud_model cloud_rpc cloud_s3 gleaner_common PRIVATE gleaner_warnings)
gleaner_program(gleaner-cloud SOURCES ${CMAKE_CURRENT_LIST_DIR}/main.cpp DEPS cloud_server gleaner_rpc_log dep_cli11)
add_dependencies(gleaner-cloud gleaner-media gleaner-model)
