# Tests of the project's own upkeep: generated files and the scripts themselves.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

add_test(NAME isa_is_generated
         COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/gen_isa --check)
foreach(case IN ITEMS gen_isa setup count_tests)
  add_test(NAME scripts_${case}
           COMMAND ${CMAKE_CURRENT_LIST_DIR}/scripts/${case}_test ${PROJECT_SOURCE_DIR})
endforeach()

# Many products in one process; scripts/sample_sizes feeds it.
add_executable(systole_sizes ${CMAKE_CURRENT_LIST_DIR}/sizes/sizes.c)
target_include_directories(systole_sizes PRIVATE ${CMAKE_CURRENT_LIST_DIR})
target_link_libraries(systole_sizes PRIVATE systole_test_support systole_internal systole_warnings)
set_target_properties(systole_sizes PROPERTIES
  OUTPUT_NAME sizes RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
