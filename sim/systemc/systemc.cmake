# The accelerator in SystemC:
#
#   libsystole_systemc.so        the module, a memory and a router, for other people's platforms
#                                (header systole/systemc.h)
#   libsystole_systemc_card.so   the platform behind the device systemc:DIM, loaded when one is
#                                opened
#
# Debian's SystemC is compiled as C++17, and says so in the name of a symbol that users must match.
find_package(PkgConfig QUIET)
if(PKG_CONFIG_FOUND)
  pkg_check_modules(SYSTEMC QUIET systemc)
endif()
if(NOT SYSTEMC_FOUND)
  message(WARNING "SystemC is missing, so there will be no systemc devices. "
                  "On Debian or Ubuntu install it with: apt-get install libsystemc-dev")
  return()
endif()

# What of the library the module needs: the fast model, its forecast, and what these use. The
# linker takes these objects and leaves the rest.
add_library(systole_systemc_core STATIC $<TARGET_OBJECTS:systole_internal>)
set_target_properties(systole_systemc_core PROPERTIES
  LINKER_LANGUAGE C ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})

set(systole_systemc_folder ${PROJECT_SOURCE_DIR}/sim/systemc)
function(systole_add_systemc name map)
  target_compile_options(${name} PRIVATE -O2 -Wall -Wextra -Wshadow -Werror)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/host
                                             ${PROJECT_SOURCE_DIR}/sim)
  target_include_directories(${name} SYSTEM PUBLIC ${SYSTEMC_INCLUDE_DIRS})
  target_link_libraries(${name} PRIVATE systole_systemc_core
    -Wl,--version-script=${systole_systemc_folder}/${map}
    PUBLIC ${SYSTEMC_LDFLAGS})
  # Sanitizers leave names to the program that loads the library.
  if(NOT CMAKE_C_FLAGS MATCHES "-fsanitize")
    target_link_libraries(${name} PRIVATE -Wl,--no-undefined)
  endif()
  set_target_properties(${name} PROPERTIES
    CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
    LINK_DEPENDS ${systole_systemc_folder}/${map}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
endfunction()

add_library(systole_systemc SHARED systemc/accelerator.cpp systemc/memory.cpp
                                   systemc/router.cpp systemc/driver.cpp)
systole_add_systemc(systole_systemc module_exports.map)
target_include_directories(systole_systemc PUBLIC
  $<BUILD_INTERFACE:${systole_systemc_folder}>
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/host/include> $<INSTALL_INTERFACE:include>)
set_target_properties(systole_systemc PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} INSTALL_RPATH "$ORIGIN")

add_library(systole_systemc_card MODULE systemc/card.cpp systemc/platform.cpp)
systole_add_systemc(systole_systemc_card exports.map)
find_package(Threads REQUIRED)
target_link_libraries(systole_systemc_card PRIVATE systole_systemc Threads::Threads)
set_target_properties(systole_systemc_card PROPERTIES
  PREFIX lib INSTALL_RPATH "$ORIGIN/..")

include(GNUInstallDirs)
set_target_properties(systole_systemc PROPERTIES EXPORT_NAME systemc)
install(TARGETS systole_systemc EXPORT systole-targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS systole_systemc_card LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/systole)
install(FILES ${systole_systemc_folder}/systole/systemc.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/systole)
