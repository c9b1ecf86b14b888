# The simulated card behind the real libxrt_coreutil: the folder xrt-sim in the build folder is
# to XRT what an installation with a card is (XILINX_XRT=.../xrt-sim), and has an .xclbin for
# every built array.
#
# XRT's device and system objects come from five members of Debian's libxrt_hwemu.a, which fit
# the libxrt_coreutil of the same version only; from 2.15 on they want C++ objects of their
# driver that no installed header declares.
set(systole_xrt_reason "")
find_path(SYSTOLE_XRT_INCLUDE xrt.h PATH_SUFFIXES xrt)
find_library(SYSTOLE_XRT_COREUTIL xrt_coreutil)
find_library(SYSTOLE_XRT_HWEMU libxrt_hwemu.a)
find_path(SYSTOLE_UUID_INCLUDE uuid/uuid.h)
mark_as_advanced(SYSTOLE_XRT_IS_2_13 SYSTOLE_XRT_INCLUDE SYSTOLE_XRT_COREUTIL SYSTOLE_XRT_HWEMU SYSTOLE_UUID_INCLUDE)
if(NOT SYSTOLE_XRT_INCLUDE OR NOT SYSTOLE_XRT_COREUTIL OR NOT SYSTOLE_XRT_HWEMU
   OR NOT SYSTOLE_UUID_INCLUDE)
  set(systole_xrt_reason "libxrt-dev or uuid-dev is missing. On Debian 12 install them with: \
apt-get install libxrt-dev uuid-dev")
else()
  include(CheckCSourceCompiles)
  set(CMAKE_REQUIRED_INCLUDES ${SYSTOLE_XRT_INCLUDE})
  set(CMAKE_REQUIRED_QUIET ON)
  check_c_source_compiles("#include <version.h>
#if XRT_VERSION_CODE != XRT_VERSION(2, 13)
#error another version
#endif
int main(void) { return 0; }" SYSTOLE_XRT_IS_2_13)
  unset(CMAKE_REQUIRED_INCLUDES)
  unset(CMAKE_REQUIRED_QUIET)
  if(NOT SYSTOLE_XRT_IS_2_13)
    set(systole_xrt_reason "the XRT in ${SYSTOLE_XRT_INCLUDE} is not 2.13, the version that the \
simulated card is written against (Debian 12 and 13 have it)")
  endif()
endif()
if(systole_xrt_reason)
  message(STATUS "No simulated XRT card: ${systole_xrt_reason}")
  return()
endif()

# ---- the writer of xclbin files --------------------------------------------------------
add_executable(systole_xclbin xrt/make_xclbin.c xrt/xclbin_write.c xrt/cards.c)
target_include_directories(systole_xclbin PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/xrt)
target_link_libraries(systole_xclbin PRIVATE systole_internal systole_warnings)

# ---- the card --------------------------------------------------------------------------
find_package(Threads REQUIRED)
add_library(systole_xrt_card MODULE
  xrt/shim.c xrt/board.c xrt/unit.c xrt/glue.cpp
  ${PROJECT_SOURCE_DIR}/host/card/xrt/xclbin.c ${PROJECT_SOURCE_DIR}/host/card/rtl/find.c
  ${PROJECT_SOURCE_DIR}/host/support/error.c)
set_source_files_properties(${PROJECT_SOURCE_DIR}/host/card/rtl/find.c PROPERTIES
  COMPILE_DEFINITIONS "SYSTOLE_LIBDIR=\"${CMAKE_INSTALL_FULL_LIBDIR}\";SYSTOLE_MODELS=\"systole\"")
target_compile_definitions(systole_xrt_card PRIVATE SYSTOLE_XRT_VERSION="2.13")
target_compile_options(systole_xrt_card PRIVATE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Werror>)
target_include_directories(systole_xrt_card PRIVATE
  ${PROJECT_SOURCE_DIR}/host ${PROJECT_SOURCE_DIR}/host/include
  ${CMAKE_CURRENT_SOURCE_DIR}/verilator)
target_include_directories(systole_xrt_card SYSTEM PRIVATE ${SYSTOLE_XRT_INCLUDE}
                                                           ${SYSTOLE_UUID_INCLUDE})
target_link_libraries(systole_xrt_card PRIVATE
  systole_axi_memory systole_warnings ${SYSTOLE_XRT_HWEMU} ${SYSTOLE_XRT_COREUTIL}
  Threads::Threads ${CMAKE_DL_LIBS}
  -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/xrt/exports.map)
# Sanitizers leave names to the program that loads the library.
if(NOT CMAKE_C_FLAGS MATCHES "-fsanitize")
  target_link_libraries(systole_xrt_card PRIVATE -Wl,--no-undefined)
endif()
set_target_properties(systole_xrt_card PROPERTIES
  PREFIX lib C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden
  LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/xrt/exports.map)

# ---- the folder ------------------------------------------------------------------------
# The library is a link to the one beside the models, where it finds them.
set(systole_xrt_folder ${CMAKE_BINARY_DIR}/xrt-sim)
file(MAKE_DIRECTORY ${systole_xrt_folder}/lib)
add_custom_command(
  OUTPUT ${systole_xrt_folder}/lib/libxrt_core.so.2
  COMMAND ${CMAKE_COMMAND} -E create_symlink ../../libsystole_xrt_card.so
          ${systole_xrt_folder}/lib/libxrt_core.so.2
  DEPENDS systole_xrt_card)
set(systole_xrt_files ${systole_xrt_folder}/lib/libxrt_core.so.2)

# systole_add_xclbin(NAME argument...): xrt-sim/NAME.xclbin.
function(systole_add_xclbin name)
  add_custom_command(
    OUTPUT ${systole_xrt_folder}/${name}.xclbin
    COMMAND systole_xclbin ${ARGN} --out ${systole_xrt_folder}/${name}.xclbin
    DEPENDS systole_xclbin
    VERBATIM)
  set(systole_xrt_files ${systole_xrt_files} ${systole_xrt_folder}/${name}.xclbin PARENT_SCOPE)
endfunction()
foreach(dim IN LISTS SYSTOLE_DIMS)
  systole_add_xclbin(systole-${dim} --dim ${dim})
endforeach()
foreach(dim IN LISTS SYSTOLE_READABLE_DIMS)
  if(dim IN_LIST SYSTOLE_DIMS)
    systole_add_xclbin(systole-${dim}-readable --dim ${dim} --readable)
  endif()
endforeach()
add_custom_target(systole_xrt ALL DEPENDS ${systole_xrt_files})
add_dependencies(systole_xrt systole_rtl_models)

# ---- what a call costs, for scripts/bench ----------------------------------------------
add_executable(systole_call_cost EXCLUDE_FROM_ALL xrt/call_cost.c)
target_link_libraries(systole_call_cost PRIVATE systole_internal systole_warnings)
set_target_properties(systole_call_cost PROPERTIES
  OUTPUT_NAME call_cost RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_dependencies(systole_call_cost systole_xrt systole_xrt_probe)

# ---- installation ----------------------------------------------------------------------
# Beside the models, as in the build folder.
install(TARGETS systole_xrt_card LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/systole)
install(DIRECTORY ${systole_xrt_folder} DESTINATION ${CMAKE_INSTALL_LIBDIR}/systole)
