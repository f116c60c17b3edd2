add_library(edge_daemon STATIC config.cpp camera_pipeline.cpp daemon.cpp device_report.cpp device_status.cpp shutdown.cpp)
target_link_libraries(edge_daemon PUBLIC edge_camera edge_trigger edge_sensor edge_clip edge_spool edge_upload edge_health
                      PRIVATE gleaner_warnings)
gleaner_program(gleaner-edge SOURCES main.cpp DEPS edge_daemon edge_probe gleaner_rpc_log dep_cli11)
