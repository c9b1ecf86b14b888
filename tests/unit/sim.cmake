# The parts of the simulator that need no RTL: memory model, protocol checkers, helpers of the
# generated code.
if(TARGET systole_axi_memory)
  systole_add_test(unit_axi_store SOURCES axi_store_test.c
                   LIBS systole_axi_memory systole_warnings LABELS unit)
  systole_add_test(unit_axi_memory SOURCES axi_memory_test.c
                   LIBS systole_axi_memory systole_warnings LABELS unit)
  systole_add_test(unit_axi_checker SOURCES axi_checker_test.c
                   LIBS systole_axi_checker systole_warnings LABELS unit)
endif()
if(TARGET systole_rtl_models)
  systole_add_test(unit_fast_helpers SOURCES fast_helpers_test.cpp LABELS unit)
  target_include_directories(unit_fast_helpers PRIVATE ${PROJECT_SOURCE_DIR}/sim/verilator)
  target_include_directories(unit_fast_helpers SYSTEM PRIVATE ${systole_verilated})
endif()
