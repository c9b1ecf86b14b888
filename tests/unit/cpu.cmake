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
