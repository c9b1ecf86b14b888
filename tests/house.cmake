# Tests of the project's own upkeep: generated files and the scripts themselves.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

add_test(NAME isa_is_generated
         COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/gen_isa --check)
foreach(case IN ITEMS gen_isa setup count_tests)
  add_test(NAME scripts_${case}
           COMMAND ${CMAKE_CURRENT_LIST_DIR}/scripts/${case}_test ${PROJECT_SOURCE_DIR})
endforeach()
