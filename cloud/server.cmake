# The rooms' doors to the database, together.
add_library(cloud_catalog STATIC ${CMAKE_CURRENT_LIST_DIR}/catalog.cpp)
target_include_directories(cloud_catalog PUBLIC ${CMAKE_SOURCE_DIR})
target_link_libraries(cloud_catalog PUBLIC cloud_ingest cloud_fleet cloud_media cloud_clips cloud_ledger cloud_store
                      PRIVATE gleaner_warnings)
# The server: every room, wired together.
add_library(cloud_server STATIC ${CMAKE_CURRENT_LIST_DIR}/server.cpp ${CMAKE_CURRENT_LIST_DIR}/server_config.cpp
            ${CMAKE_CURRENT_LIST_DIR}/ingest_metrics.cpp ${CMAKE_CURRENT_LIST_DIR}/connection_metrics.cpp
            ${CMAKE_CURRENT_LIST_DIR}/store_metrics.cpp ${CMAKE_CURRENT_LIST_DIR}/data_commands.cpp)
target_include_directories(cloud_server PUBLIC ${CMAKE_SOURCE_DIR})
target_link_libraries(cloud_server PUBLIC cloud_catalog cloud_rpc cloud_ingest cloud_fleet cloud_media cloud_http cloud_store gleaner_common
                      PRIVATE gleaner_warnings)
gleaner_program(gleaner-cloud SOURCES ${CMAKE_CURRENT_LIST_DIR}/main.cpp DEPS cloud_server gleaner_rpc_log dep_cli11)
add_dependencies(gleaner-cloud gleaner-media)
