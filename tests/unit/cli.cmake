# The program's parts that need no device: files in, files out, numbers, pictures.
if(TARGET systole_cli_parts)
  systole_add_test(unit_npy SOURCES npy_test.c LIBS systole_cli_parts LABELS unit)
  systole_add_test(unit_check_float SOURCES check_float_test.c LIBS systole_cli_parts LABELS unit)
  systole_add_test(unit_idx SOURCES idx_test.c LIBS systole_cli_parts LABELS unit)
  systole_add_test(unit_report SOURCES report_test.c LIBS systole_cli_parts LABELS unit)
  systole_add_test(unit_baseline SOURCES baseline_test.c LIBS systole_cli_parts LABELS unit)
  systole_add_test(unit_course SOURCES course_test.c LIBS systole_cli_parts LABELS unit)
endif()
