# The whole kernel through the public API, on every model of the build.
add_library(systole_cosim_kernel STATIC distance.c finding.c gemms.c kernel.c pairs.c
            record.c shrink.c stream.c stream_file.c trial.c)
target_include_directories(systole_cosim_kernel PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}
                                                       ${PROJECT_SOURCE_DIR}/sim/verilator)
target_link_libraries(systole_cosim_kernel PRIVATE systole_warnings
                      PUBLIC systole_internal systole_test_support PkgConfig::CRITERION m)

set(names product conv stream shrink fault forecast model cycles)
if(ZLIB_FOUND)
  list(APPEND names ports)
endif()
foreach(name IN LISTS names)
  systole_add_cosim(${name})
  target_link_libraries(cosim_${name} PRIVATE systole_cosim_kernel)
  target_include_directories(cosim_${name} PRIVATE ${PROJECT_SOURCE_DIR}/sim)
  target_compile_definitions(cosim_${name} PRIVATE
    COSIM_FAILURES="${CMAKE_BINARY_DIR}/tests/failures")
  # Seconds; minutes with all sizes and SYSTOLE_TEST_LONG.
  set_tests_properties(cosim_${name} PROPERTIES TIMEOUT 1800)
endforeach()

# Its cases use the library's objects themselves.
target_link_libraries(cosim_conv PRIVATE systole_internal)

# As many streams as one likes; scripts/random_streams runs it.
add_executable(systole_streams streams.c)
target_link_libraries(systole_streams PRIVATE systole_cosim_kernel systole_warnings)
set_target_properties(systole_streams PROPERTIES
  OUTPUT_NAME streams RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# Cycles of the fast cards beside the RTL's; scripts/cycles runs it.
add_executable(systole_cycles cycles.c)
target_link_libraries(systole_cycles PRIVATE systole_cosim_kernel systole_warnings)
set_target_properties(systole_cycles PROPERTIES
  OUTPUT_NAME cycles RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# The fast cards that are set beside the RTL.
if(TARGET systole_systemc_card)
  foreach(name cosim_cycles systole_cycles)
    if(TARGET ${name})
      add_dependencies(${name} systole_systemc_card)
    endif()
  endforeach()
endif()

if(NOT ZLIB_FOUND)
  return()
endif()

# Ports of other widths than a size's own: Dim, bytes. With the RTL's assertions, as the protocol
# checkers ask for.
set(ports "")
foreach(port IN ITEMS 4:8 64:16)
  string(REPLACE ":" ";" port ${port})
  list(GET port 0 dim)
  list(GET port 1 bytes)
  set(folder ${CMAKE_BINARY_DIR}/tests/ports/axi${bytes})
  systole_add_model(${dim} 1 1 RTL ${SYSTOLE_RTL_DIR} OUTPUT ${folder} NAME axi${bytes}
                    PARAMETERS AxiBytes=${bytes})
  add_dependencies(cosim_ports systole_rtl_${dim}_debug_axi${bytes})
  string(APPEND ports "{\"${folder}\",\"${dim}\",${dim},${bytes}},")
endforeach()
target_compile_definitions(cosim_ports PRIVATE "COSIM_PORTS=${ports}")
