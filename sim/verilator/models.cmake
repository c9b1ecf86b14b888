# One shared library per Verilated model:
#
#   libsystole_rtl_DIM.so                  fast array
#   libsystole_rtl_DIM_readable.so         array of PE modules
#   libsystole_rtl_DIM[_readable]_debug.so the same with the RTL's assertions, and able to
#                                          write waveforms; loaded when a device is opened with
#                                          check_protocol or trace_path
#
# Both cost speed that nobody pays who does not ask for them: assertions about a quarter, and
# tracing keeps signals alive that the plain model optimises away.
#
# The generated C++ is compiled by the build tool itself (not by Verilator's makefile), in two
# pieces: code that runs every cycle with all optimisation, the rest with little. Verilator's
# run-time library is compiled once for all models.
set(SYSTOLE_READABLE_DIMS "16" CACHE STRING
    "Array sizes to build the readable array for, too (compiles slowly above 16)")
set(SYSTOLE_DEBUG_DIMS "${SYSTOLE_DIMS}" CACHE STRING
    "Array sizes to build models for that check assertions and write waveforms")
option(SYSTOLE_NATIVE "Compile the models for this machine's processor (-march=native)" ON)

find_program(SYSTOLE_VERILATOR verilator)
set(SYSTOLE_RTL_DIR ${PROJECT_SOURCE_DIR}/hw/rtl CACHE PATH "Folder of systole.f")
mark_as_advanced(SYSTOLE_VERILATOR SYSTOLE_RTL_DIR)

if(NOT SYSTOLE_VERILATOR)
  message(WARNING "Verilator is missing, so there will be no rtl devices. "
                  "On Debian or Ubuntu install it with: apt-get install verilator")
  return()
endif()
if(NOT EXISTS ${SYSTOLE_RTL_DIR}/systole.f)
  message(WARNING "${SYSTOLE_RTL_DIR}/systole.f is missing, so there will be no rtl devices.")
  return()
endif()

execute_process(COMMAND ${SYSTOLE_VERILATOR} --getenv VERILATOR_ROOT
                OUTPUT_VARIABLE systole_verilator_root OUTPUT_STRIP_TRAILING_WHITESPACE)
set(systole_verilated ${systole_verilator_root}/include)
find_package(Threads REQUIRED)
find_package(ZLIB)
if(NOT ZLIB_FOUND)
  message(WARNING "zlib is missing, so there are no models with assertions and waveforms. "
                  "On Debian or Ubuntu install it with: apt-get install zlib1g-dev")
endif()

# A change of any RTL file makes the models anew.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${SYSTOLE_RTL_DIR}/systole.f)
file(GLOB systole_rtl_files CONFIGURE_DEPENDS
     ${SYSTOLE_RTL_DIR}/*.sv ${SYSTOLE_RTL_DIR}/*.svh ${SYSTOLE_RTL_DIR}/*.f
     ${PROJECT_SOURCE_DIR}/hw/lint/*.vlt)

# ---- flags ------------------------------------------------------------------------------

# Optimisation does not follow CMAKE_BUILD_TYPE: an unoptimised model is forty times slower and
# nobody steps through generated code.
include(CheckCXXCompilerFlag)
set(systole_fast_flags -O3)
# Of the fast array's models: loops over lanes become SIMD; neighbouring flags of the control path
# must not: one wide load of flags that were just stored one by one waits for all of them to reach
# the cache, several times a cycle (1.5 times the speed at Dim 16, 1.1 at Dim 64). The readable array
# is written one register at a time, and its speed gains 1.15 from what joins them.
check_cxx_compiler_flag(-fno-tree-slp-vectorize SYSTOLE_HAS_NO_SLP)
set(systole_flat_flags "")
if(SYSTOLE_HAS_NO_SLP)
  set(systole_flat_flags -fno-tree-slp-vectorize)
endif()
if(SYSTOLE_NATIVE)
  check_cxx_compiler_flag(-march=native SYSTOLE_HAS_MARCH_NATIVE)
  check_cxx_compiler_flag(-mprefer-vector-width=512 SYSTOLE_HAS_VECTOR_WIDTH)
  if(SYSTOLE_HAS_MARCH_NATIVE)
    list(APPEND systole_fast_flags -march=native)
  endif()
  if(SYSTOLE_HAS_VECTOR_WIDTH)
    list(APPEND systole_fast_flags -mprefer-vector-width=512)
  endif()
endif()
check_cxx_compiler_flag(-fcf-protection=none SYSTOLE_HAS_CF_PROTECTION)
set(systole_model_flags -faligned-new -fno-gnu-unique)
if(SYSTOLE_HAS_CF_PROTECTION)
  list(APPEND systole_model_flags -fcf-protection=none)
endif()

# Loops over lanes must reach gcc as loops: unrolled they are neither vectorised nor compiled in
# seconds. Loops over the five units of the control path must be unrolled: Verilator 5.006
# refuses delayed assignments to arrays inside loops otherwise.
set(systole_verilator_flags
    --cc --top-module systole --prefix Vsystole --no-timing
    -O3 --x-assign fast --x-initial fast --unroll-count 5
    -Wno-fatal -Wno-lint -Wno-style -Wno-SYMRSVDWORD)

# Functions below are called from tests/, too, where ordinary variables are not seen.
foreach(variable systole_verilated systole_rtl_files systole_fast_flags systole_flat_flags systole_model_flags
                 systole_verilator_flags)
  set(${variable} ${${variable}} CACHE INTERNAL "")
endforeach()

# ---- Verilator's run-time library -------------------------------------------------------

# systole_rtl_runtime is in every model, systole_rtl_waveform in those for debugging.
function(systole_add_runtime name)
  add_library(${name} OBJECT ${ARGN})
  target_include_directories(${name} SYSTEM PUBLIC ${systole_verilated}
                                                   ${systole_verilated}/vltstd)
  target_compile_options(${name} PRIVATE
    -O2 -w ${systole_model_flags}
    -include ${PROJECT_SOURCE_DIR}/sim/verilator/runtime_hooks.h)
  set_target_properties(${name} PROPERTIES
    CXX_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
endfunction()

systole_add_runtime(systole_rtl_runtime ${systole_verilated}/verilated.cpp
                                        ${systole_verilated}/verilated_threads.cpp)
if(ZLIB_FOUND)
  systole_add_runtime(systole_rtl_waveform ${systole_verilated}/verilated_fst_c.cpp)
  target_include_directories(systole_rtl_waveform SYSTEM PRIVATE ${ZLIB_INCLUDE_DIRS})
endif()

# ---- models -----------------------------------------------------------------------------

# systole_add_model(dim flat debug [RTL folder OUTPUT folder NAME suffix [PARAMETERS name=value...]]):
# tests build other kernels with it, in the folder RTL, whose targets get the suffix, or the same
# with other parameters of the top module.
function(systole_add_model dim flat debug)
  cmake_parse_arguments(ARG "" "RTL;OUTPUT;NAME" "PARAMETERS" ${ARGN})
  set(name systole_rtl_${dim})
  if(NOT flat)
    string(APPEND name _readable)
  endif()
  set(runtime systole_rtl_runtime)
  if(debug)
    string(APPEND name _debug)
    list(APPEND runtime systole_rtl_waveform)
  endif()

  set(file ${name})
  set(rtl ${SYSTOLE_RTL_DIR})
  set(output ${CMAKE_BINARY_DIR})
  set(files ${systole_rtl_files})
  if(ARG_RTL)
    string(APPEND name _${ARG_NAME})
    set(rtl ${ARG_RTL})
    set(output ${ARG_OUTPUT})
    file(GLOB more CONFIGURE_DEPENDS ${rtl}/*.sv ${rtl}/*.f)
    list(APPEND files ${more})
  endif()

  set(folder ${CMAKE_CURRENT_BINARY_DIR}/verilated/${name})
  set(flags ${systole_verilator_flags} -F ${rtl}/systole.f +incdir+${rtl}
            -GDim=${dim} -GFlatArray=${flat})
  if(NOT flat)
    # One function of a readable array's thousands of registers keeps gcc busy for hours; in functions
    # of some hundred statements it compiles in seconds and simulates no slower.
    list(APPEND flags --output-split 20000 --output-split-cfuncs 500)
  endif()
  foreach(parameter IN LISTS ARG_PARAMETERS)
    list(APPEND flags -G${parameter})
  endforeach()
  if(debug)
    list(APPEND flags --assert --trace-fst)
  else()
    list(APPEND flags -DSYNTHESIS) # without the state that only assertions read
  endif()
  add_custom_command(
    OUTPUT ${folder}/fast.cpp ${folder}/slow.cpp ${folder}/pins.cpp
    COMMAND ${CMAKE_COMMAND} -E remove_directory ${folder}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
    COMMAND ${SYSTOLE_VERILATOR} ${flags} --Mdir ${folder}
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${folder}
            -DPINS=${PROJECT_SOURCE_DIR}/sim/verilator/pins.cpp
            -P ${PROJECT_SOURCE_DIR}/sim/verilator/gather.cmake
    DEPENDS ${files} ${PROJECT_SOURCE_DIR}/sim/verilator/gather.cmake
    COMMENT "Verilating ${name}"
    VERBATIM)

  add_library(${name} MODULE ${folder}/fast.cpp ${folder}/slow.cpp ${folder}/pins.cpp)
  set(helpers ${PROJECT_SOURCE_DIR}/sim/verilator/fast_helpers.h)
  set(fast_flags ${systole_fast_flags})
  if(flat)
    list(APPEND fast_flags ${systole_flat_flags})
  endif()
  set_source_files_properties(${folder}/fast.cpp PROPERTIES
    COMPILE_OPTIONS "-w;-include;${helpers};${fast_flags}" OBJECT_DEPENDS ${helpers})
  set_source_files_properties(${folder}/slow.cpp PROPERTIES
    COMPILE_OPTIONS "-w;-include;${helpers};-O0" OBJECT_DEPENDS ${helpers})
  target_compile_options(${name} PRIVATE -Wall -Wextra -Werror ${fast_flags}
                                           ${systole_model_flags})
  target_compile_definitions(${name} PRIVATE
    SYSTOLE_RTL_DIM=${dim} SYSTOLE_RTL_FLAT=${flat} SYSTOLE_RTL_DEBUG=${debug}
    VM_COVERAGE=0 VM_SC=0 VM_TRACE=${debug} VM_TRACE_FST=${debug} VM_TRACE_VCD=0)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/host
                                             ${PROJECT_SOURCE_DIR}/host/include)
  target_include_directories(${name} SYSTEM PRIVATE ${folder})
  # All of the model but its entry stays inside: several are loaded into one process.
  target_link_libraries(${name} PRIVATE
    ${runtime} systole_axi_memory systole_axi_checker Threads::Threads
    -Wl,--version-script=${PROJECT_SOURCE_DIR}/sim/verilator/exports.map)
  if(debug)
    target_link_libraries(${name} PRIVATE ${ZLIB_LIBRARIES})
  endif()
  set_target_properties(${name} PROPERTIES
    PREFIX lib CXX_VISIBILITY_PRESET hidden
    LINK_DEPENDS ${PROJECT_SOURCE_DIR}/sim/verilator/exports.map
    OUTPUT_NAME ${file} LIBRARY_OUTPUT_DIRECTORY ${output})
  if(ARG_RTL)
    return()
  endif()
  if(debug AND NOT flat)
    # The slowest to compile and the rarest to be used: only when asked for
    # (cmake --build BUILD --target systole_rtl_DIM_readable_debug).
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  else()
    # Beside the library, in a folder of their own; those that were not built are left out.
    install(TARGETS ${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/systole OPTIONAL)
    add_dependencies(systole_rtl_models ${name})
  endif()
endfunction()

include(GNUInstallDirs)
add_custom_target(systole_rtl_models)
foreach(dim IN LISTS SYSTOLE_DIMS)
  systole_add_model(${dim} 1 0)
  if(ZLIB_FOUND AND dim IN_LIST SYSTOLE_DEBUG_DIMS)
    systole_add_model(${dim} 1 1)
  endif()
  if(dim IN_LIST SYSTOLE_READABLE_DIMS)
    systole_add_model(${dim} 0 0)
    if(ZLIB_FOUND AND dim IN_LIST SYSTOLE_DEBUG_DIMS)
      systole_add_model(${dim} 0 1)
    endif()
  endif()
endforeach()
