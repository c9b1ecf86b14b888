# Tests of the project's own upkeep: generated files and the scripts themselves.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

add_test(NAME isa_is_generated
         COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/gen_isa --check)
add_test(NAME kernel_is_generated
         COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/gen_kernel --check)
foreach(case IN ITEMS gen_isa gen_kernel setup count_tests energy_tables)
  add_test(NAME scripts_${case}
           COMMAND ${CMAKE_CURRENT_LIST_DIR}/scripts/${case}_test ${PROJECT_SOURCE_DIR})
endforeach()

# Many products in one process; scripts/sample_sizes feeds it.
add_executable(systole_sizes ${CMAKE_CURRENT_LIST_DIR}/sizes/sizes.c)
target_include_directories(systole_sizes PRIVATE ${CMAKE_CURRENT_LIST_DIR})
target_link_libraries(systole_sizes PRIVATE systole_test_support systole_internal systole_warnings)
set_target_properties(systole_sizes PROPERTIES
  OUTPUT_NAME sizes RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# Tools that read and prove the RTL. Without them these tests are skipped, not passed.
foreach(case IN ITEMS lint formal)
  add_test(NAME rtl_${case} COMMAND ${CMAKE_CURRENT_LIST_DIR}/scripts/skip_without_tools
           ${PROJECT_SOURCE_DIR}/scripts/${case})
endforeach()
add_test(NAME scripts_formal COMMAND ${CMAKE_CURRENT_LIST_DIR}/scripts/skip_without_tools
         ${CMAKE_CURRENT_LIST_DIR}/scripts/formal_test ${PROJECT_SOURCE_DIR})
# Both use every processor; started first, they do not make the others wait at the end.
set_tests_properties(rtl_lint PROPERTIES TIMEOUT 900 SKIP_RETURN_CODE 77 COST 200)
set_tests_properties(rtl_formal PROPERTIES TIMEOUT 1500 SKIP_RETURN_CODE 77 COST 300)
set_tests_properties(scripts_formal PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77)

# Icarus replays what Verilated kernels did; and the bench must see what is wrong.
foreach(dim IN ITEMS 4 8)
  if(dim IN_LIST SYSTOLE_DIMS)
    add_test(NAME icarus_${dim} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/icarus/run
             $<TARGET_FILE:systole_cli> ${dim})
    set_tests_properties(icarus_${dim} PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77)
  endif()
endforeach()
if(4 IN_LIST SYSTOLE_DIMS)
  add_test(NAME scripts_icarus COMMAND ${CMAKE_CURRENT_LIST_DIR}/scripts/icarus_test
           ${PROJECT_SOURCE_DIR} $<TARGET_FILE:systole_cli>)
  set_tests_properties(scripts_icarus PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77)
endif()

# What the kernel takes of an FPGA, at a small size: the bars of hw/fpga, and that they can be missed.
add_test(NAME scripts_synth COMMAND ${CMAKE_CURRENT_LIST_DIR}/scripts/skip_without_tools
         ${CMAKE_CURRENT_LIST_DIR}/scripts/synth_test ${PROJECT_SOURCE_DIR})
set_tests_properties(scripts_synth PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77 COST 100)

foreach(dim IN LISTS SYSTOLE_DIMS)
  add_test(NAME sizes_rtl_${dim} COMMAND ${CMAKE_CURRENT_LIST_DIR}/scripts/sizes_test
           $<TARGET_FILE:systole_sizes> rtl:${dim} ${dim})
  set_tests_properties(sizes_rtl_${dim} PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77)
endforeach()
foreach(dim IN LISTS SYSTOLE_READABLE_DIMS)
  add_test(NAME sizes_rtl_${dim}_readable COMMAND ${CMAKE_CURRENT_LIST_DIR}/scripts/sizes_test
           $<TARGET_FILE:systole_sizes> rtl:${dim}:readable ${dim})
  set_tests_properties(sizes_rtl_${dim}_readable PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77)
endforeach()

# Files for Vivado and Vitis against the RTL's top. Without tclsh or Yosys it is skipped.
add_test(NAME scripts_build_xclbin
         COMMAND ${CMAKE_CURRENT_LIST_DIR}/scripts/build_xclbin_test ${PROJECT_SOURCE_DIR})
set_tests_properties(scripts_build_xclbin PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77)

# What is installed serves a program outside the tree.
set(smallest none)
foreach(dim IN LISTS SYSTOLE_DIMS)
  if(TARGET systole_rtl_${dim} AND (smallest STREQUAL none OR dim LESS smallest))
    set(smallest ${dim})
  endif()
endforeach()
if(NOT smallest STREQUAL none)
  set(smallest rtl:${smallest})
endif()
add_test(NAME install COMMAND ${CMAKE_CURRENT_LIST_DIR}/scripts/install_test
         ${CMAKE_BINARY_DIR} ${smallest} ${CMAKE_C_COMPILER} "${CMAKE_C_FLAGS}")
set_tests_properties(install PROPERTIES TIMEOUT 300)
