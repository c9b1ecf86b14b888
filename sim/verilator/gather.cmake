# Writes FOLDER/fast.cpp and FOLDER/slow.cpp, which include the C++ that Verilator generated
# there: what runs every cycle, and construction, waveform set-up and first evaluation. The names
# of the generated files are only known once Verilator has run; these always exist.
# FOLDER/pins.cpp includes the file PINS: written anew with the model, it is compiled anew with
# it, too. (Generated headers are not known to the build tool, and pins that remember the
# model's old layout read its wrong members.)
file(GLOB generated RELATIVE ${FOLDER} ${FOLDER}/Vsystole*.cpp)
list(SORT generated)
set(fast "")
set(slow "")
foreach(file IN LISTS generated)
  if(file MATCHES "__Slow\\.cpp$|__Syms\\.cpp$")
    string(APPEND slow "#include \"${file}\"\n")
  else()
    string(APPEND fast "#include \"${file}\"\n")
  endif()
endforeach()
if(NOT fast)
  message(FATAL_ERROR "Verilator has left no C++ in ${FOLDER}")
endif()

# A clock cycle in one call. Verilator's eval() finds out at every edge which clocks have moved and
# looks again until nothing moves: a tenth of a cycle at Dim 16. The pins know: first the falling
# edge, on which the clock gates decide, then the rising edge of the main clock and of those that
# are gated on. With ap_clk standing at 1 a gated clock's wire says whether it is on. The order and
# the functions within an edge are Verilator's own. If its output does not look as expected here
# (another version), SYSTOLE_OWN_EDGES is 0 and the pins call eval().
set(edges "")
set(triggers 0)
set(falling 0)
set(rising 0)
set(evaluations "")
foreach(file IN LISTS generated)
  file(READ ${FOLDER}/${file} text)
  string(REGEX REPLACE "[ \n]+" " " text "${text}")
  if(text MATCHES "void Vsystole___024root___ico_sequent__TOP__0\\(" AND NOT text MATCHES "ico_sequent__TOP__1\\(")
    set(evaluations "  Vsystole___024root___ico_sequent__TOP__0(root);\n")
  endif()
  if(text MATCHES "void Vsystole___024root___eval_triggers__act\\(Vsystole___024root\\* vlSelf\\) { .* // Body (.*)")
    string(REGEX REPLACE "vlSelf->__Vtrigrprev__TOP__ap_clk = .*" "" body "${CMAKE_MATCH_1}")
    string(REPLACE ";" "|" body "${body}")
    string(REGEX MATCHALL "vlSelf->__VactTriggered.at\\([0-9]+U\\) = [^|]*[|]" lines "${body}")
    foreach(line IN LISTS lines)
      math(EXPR triggers "${triggers} + 1")
      if(line MATCHES "^vlSelf->__VactTriggered.at\\(([0-9]+)U\\) = \\(\\(IData\\)\\(vlSelf->([A-Za-z0-9_]+)\\) & \\(~ \\(IData\\)\\(vlSelf->__Vtrigrprev__TOP__([A-Za-z0-9_]+)\\)\\)\\)[|]$"
         AND CMAKE_MATCH_2 STREQUAL CMAKE_MATCH_3)
        math(EXPR rising "${rising} + 1")
        string(APPEND edges "  on[${CMAKE_MATCH_1}] = root->${CMAKE_MATCH_2};\n")
      elseif(line MATCHES "^vlSelf->__VactTriggered.at\\(([0-9]+)U\\) = \\(\\(~ \\(IData\\)\\(vlSelf->ap_clk\\)\\) & \\(IData\\)\\(vlSelf->__Vtrigrprev__TOP__ap_clk\\)\\)[|]$")
        math(EXPR falling "${falling} + 1")
        set(falling_trigger ${CMAKE_MATCH_1})
      endif()
    endforeach()
  endif()
endforeach()
math(EXPR known "${rising} + ${falling}")
if(evaluations AND falling EQUAL 1 AND rising GREATER 0 AND triggers EQUAL known)
  string(APPEND fast "
void Vsystole___024root___ico_sequent__TOP__0(Vsystole___024root* vlSelf);
void Vsystole___024root___eval_nba(Vsystole___024root* vlSelf);
void systole_settle(Vsystole___024root* root) {
${evaluations}}
void systole_cycle(Vsystole___024root* root) {
  auto& on = root->__VnbaTriggered;
  systole_settle(root);
  for (unsigned i = 0; i < ${triggers}; i++) on.at(i) = i == ${falling_trigger};
  Vsystole___024root___eval_nba(root);
  on.at(${falling_trigger}) = 0;
")
  string(REGEX REPLACE "on\\[([0-9]+)\\]" "on.at(\\1)" edges "${edges}")
  string(APPEND fast "${edges}  Vsystole___024root___eval_nba(root);\n}\n")
  file(WRITE ${FOLDER}/edges.h "#define SYSTOLE_OWN_EDGES 1\n")
else()
  file(WRITE ${FOLDER}/edges.h "#define SYSTOLE_OWN_EDGES 0\n")
endif()

file(WRITE ${FOLDER}/fast.cpp "${fast}")
file(WRITE ${FOLDER}/slow.cpp "${slow}")
file(WRITE ${FOLDER}/pins.cpp "#include \"${PINS}\"\n")
