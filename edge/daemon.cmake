add_library(edge_daemon STATIC config.cpp camera_pipeline.cpp daemon.cpp)
target_link_libraries(edge_daemon PUBLIC edge_camera edge_trigger edge_clip edge_spool edge_upload edge_health
                      PRIVATE gleaner_warnings)
gleaner_program(gleaner-edge SOURCES main.cpp DEPS edge_daemon dep_cli11)
