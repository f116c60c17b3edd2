# The server: every room, wired together.
add_library(cloud_server STATIC ${CMAKE_CURRENT_LIST_DIR}/server.cpp ${CMAKE_CURRENT_LIST_DIR}/server_config.cpp
            ${CMAKE_CURRENT_LIST_DIR}/ingest_metrics.cpp)
target_include_directories(cloud_server PUBLIC ${CMAKE_SOURCE_DIR})
target_link_libraries(cloud_server PUBLIC cloud_ingest cloud_fleet cloud_media cloud_http cloud_store gleaner_common
                      PRIVATE gleaner_warnings)
gleaner_program(gleaner-cloud SOURCES ${CMAKE_CURRENT_LIST_DIR}/main.cpp DEPS cloud_server dep_cli11)
add_dependencies(gleaner-cloud gleaner-media)
