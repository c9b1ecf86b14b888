# The CPU engine with every kernel that this machine can run, the OpenCL engine on the device that
# is here, the epilogue that all engines
# share, and where the figures of energy come from.
systole_add_test(unit_epilogue SOURCES epilogue_test.c LIBS systole_internal LABELS unit)
systole_add_test(unit_cpu SOURCES cpu_test.c LIBS systole_internal systole_test_support LABELS unit)
systole_add_test(unit_model SOURCES model_test.c LIBS systole_internal systole_test_support LABELS unit)
target_include_directories(unit_model PRIVATE ${PROJECT_SOURCE_DIR}/sim)
target_compile_definitions(unit_model PRIVATE _GNU_SOURCE) # mkstemps
systole_add_test(unit_opencl SOURCES opencl_test.c LIBS systole_internal systole_test_support LABELS unit)
systole_add_test(unit_energy SOURCES energy_test.c LIBS systole_internal LABELS unit)
target_compile_definitions(unit_energy PRIVATE SYSTOLE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")

# A stand-in for NVIDIA's library, and a library that is none of it.
add_library(fake_nvml MODULE fake_nvml.c)
add_library(no_nvml MODULE no_nvml.c)
systole_add_test(unit_energy_sources SOURCES energy_sources_test.c
                 LIBS systole_internal systole_test_support LABELS unit)
add_dependencies(unit_energy_sources fake_nvml no_nvml)
target_compile_definitions(unit_energy_sources PRIVATE
  SYSTOLE_FAKE_NVML="$<TARGET_FILE:fake_nvml>" SYSTOLE_NO_NVML="$<TARGET_FILE:no_nvml>")
systole_add_test(unit_energy_measure SOURCES energy_measure_test.c
                 LIBS systole_internal systole_test_support LABELS unit)

# A pretended NVIDIA GPU, in folders as SYSTOLE_CUDA names them: complete, driver alone, and a
# driver that lacks everything.
set(systole_fake_gpu ${CMAKE_BINARY_DIR}/tests/gpu)
add_library(fake_cuda SHARED ${PROJECT_SOURCE_DIR}/tests/support/gpu/cuda.c)
set_target_properties(fake_cuda PROPERTIES OUTPUT_NAME cuda SOVERSION 1
                      LIBRARY_OUTPUT_DIRECTORY ${systole_fake_gpu})
add_library(fake_cublaslt SHARED ${PROJECT_SOURCE_DIR}/tests/support/gpu/cublaslt.c
                                 ${PROJECT_SOURCE_DIR}/host/engine/format.c)
set_target_properties(fake_cublaslt PROPERTIES OUTPUT_NAME cublasLt SOVERSION 12
                      LIBRARY_OUTPUT_DIRECTORY ${systole_fake_gpu})
target_link_libraries(fake_cublaslt PRIVATE fake_cuda m)
add_library(fake_cuda_alone SHARED ${PROJECT_SOURCE_DIR}/tests/support/gpu/cuda.c)
set_target_properties(fake_cuda_alone PROPERTIES OUTPUT_NAME cuda SOVERSION 1
                      LIBRARY_OUTPUT_DIRECTORY ${systole_fake_gpu}/driver)
add_library(fake_cuda_old SHARED no_nvml.c)
set_target_properties(fake_cuda_old PROPERTIES OUTPUT_NAME cuda SOVERSION 1
                      LIBRARY_OUTPUT_DIRECTORY ${systole_fake_gpu}/old)
foreach(fake fake_cuda fake_cublaslt fake_cuda_alone)
  target_include_directories(${fake} PRIVATE ${PROJECT_SOURCE_DIR}/host
    ${PROJECT_SOURCE_DIR}/host/include ${PROJECT_SOURCE_DIR}/tests/support/gpu)
  # It multiplies; a GPU adds up in any order, too.
  target_compile_options(${fake} PRIVATE -O3 -fassociative-math -fno-signed-zeros
                                         -fno-trapping-math)
  target_link_libraries(${fake} PRIVATE systole_warnings)
endforeach()
systole_add_test(unit_cuda SOURCES cuda_test.c LIBS systole_internal LABELS unit)
target_include_directories(unit_cuda PRIVATE ${PROJECT_SOURCE_DIR}/tests/support)
target_compile_definitions(unit_cuda PRIVATE SYSTOLE_FAKE_GPU="${systole_fake_gpu}")
add_dependencies(unit_cuda fake_cuda fake_cublaslt fake_cuda_alone fake_cuda_old)
