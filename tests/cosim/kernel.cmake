# The whole kernel through the public API, on every model of the build.
add_library(systole_cosim_kernel STATIC kernel.c stream.c)
target_include_directories(systole_cosim_kernel PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(systole_cosim_kernel PRIVATE systole_warnings
                      PUBLIC systole_internal systole_test_support PkgConfig::CRITERION m)

foreach(name product stream fault forecast)
  systole_add_cosim(${name})
  target_link_libraries(cosim_${name} PRIVATE systole_cosim_kernel)
  # Seconds; minutes with all sizes and SYSTOLE_TEST_LONG.
  set_tests_properties(cosim_${name} PROPERTIES TIMEOUT 1800)
endforeach()
