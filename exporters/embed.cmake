# Turn a text file into a C array: cmake -DINPUT=... -DOUTPUT=... -DNAME=...
# -DHEADER=... -P embed.cmake
#
# The text goes into a CDATA section of an XML file and into an HTML element;
# what would end either one early is refused here.
file(READ ${INPUT} text)
foreach(end "]]>" "</script" "</style" "<!--")
  string(FIND "${text}" "${end}" at)
  if(NOT at EQUAL -1)
    message(FATAL_ERROR "${INPUT} contains '${end}'")
  endif()
endforeach()

file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "    \\1\n"
  bytes "${bytes}")
file(WRITE ${OUTPUT}
  "#include \"${HEADER}\"\n\nconst char ${NAME}[] = {\n${bytes}    0};\n")
