/* Short forms of C++, Rust and Go names, for frames that are narrow. */

// Where the bracket at `at` closes; -1 if it does not.
function groupEnd(name, at) {
  let level = 0;
  for (; at < name.length; at++) {
    if ("<([{".includes(name[at])) {
      level++;
    } else if (">)]}".includes(name[at]) && name.substr(at - 1, 2) !== "->") {
      level--;
      if (level === 0) {
        return at;
      }
    }
  }
  return -1;
}

// What is left of a bracketed group that follows `before`.
function shortGroup(group, before) {
  if (group === "(anonymous namespace)") {
    return "(anonymous)";
  }
  if (/^[<{]lambda/.test(group)) {
    return group.replace(/\(.*\)/, ""); // {lambda#1}
  }
  // After a name or an operator: parameters, or template arguments.
  return /[\w)\]>}<=~+*/%^&|!-]$/.test(before) ? "" : group;
}

const OPERATOR =
  /^(\(\)|\[\]|<=>|->\*|<<=?|>>=?|->|[<>]=?| (new|delete)(\[\])?)/;
const QUALIFIER = /^ (const|volatile|noexcept|&&?|\[[^\]]*\])/;

// A name without return type, parameters and template arguments, and the
// last part of that; the name itself where it is not of that kind.
function shortForms(name) {
  if (!/[(<]|::/.test(name)) {
    return [name];
  }
  let bare = "";
  let last = 0;
  for (let at = 0; at < name.length;) {
    const rest = name.slice(at);
    const operator = /\boperator$/.test(bare) && OPERATOR.exec(rest);
    if (operator) {
      bare += operator[0];
      at += operator[0].length;
      at += rest.startsWith(`${operator[0]} <`); // "operator< <int>"
    } else if ("<([{".includes(name[at])) {
      const end = groupEnd(name, at);
      if (end < 0) {
        return [name];
      }
      bare += shortGroup(name.slice(at, end + 1), bare);
      at = end + 1;
    } else if (rest.startsWith("::")) {
      bare += "::";
      last = bare.length;
      at += 2;
    } else if (QUALIFIER.test(rest)) {
      break;
    } else if (name[at] === " " && !/\boperator$/.test(bare)) {
      bare = ""; // it was the return type
      last = 0;
      at++;
    } else {
      bare += name[at++];
    }
  }
  return bare.length > last ? [name, bare, bare.slice(last)] : [name];
}

const knownForms = new Map();
function formsOf(name) {
  let forms = knownForms.get(name);
  if (!forms) {
    forms = shortForms(name);
    knownForms.set(name, forms);
  }
  return forms;
}

// The longest form of a name that fits, or the shortest one cut.
function labelFor(name, columns) {
  const forms = formsOf(name);
  for (const form of forms) {
    if (columnsIn(form) <= columns) {
      return form;
    }
  }
  return clip(forms[forms.length - 1], columns);
}
