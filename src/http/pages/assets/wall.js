// Turns through the gyms of a wall screen, and keeps their numbers fresh. A number that cannot be
// asked for stays, and says how old it is. Written for the browsers of televisions, which are old.
(function () {
  "use strict";
  var wall = document.querySelector("[data-wall]");
  var place = 0;
  // When the last answer came, by both clocks: one may be set, the other may stand still in a sleep.
  var came = clocks();
  var trouble = null;

  function clocks() {
    return [new Date().getTime(), window.performance ? performance.now() : 0];
  }

  function says(name) {
    return wall.getAttribute("data-" + name);
  }

  function minutes() {
    var now = clocks();
    return Math.floor(Math.max(now[0] - came[0], now[1] - came[1], 0) / 60000);
  }

  function age() {
    var old = minutes();
    if (old === 0) return says("fresh");
    var forms = says("minutes").split(" | ");
    return forms[old === 1 ? 0 : 1].replace("{}", old);
  }

  function show() {
    var slides = wall.querySelectorAll(".slide");
    place = place % slides.length;
    for (var one = 0; one < slides.length; one++) {
      slides[one].hidden = one !== place;
      var line = slides[one].querySelector(".age");
      var parts = [line.getAttribute("data-at"), age()];
      if (trouble) parts.push(says(trouble));
      line.textContent = parts.join(" · ");
    }
    document.body.className = minutes() >= Number(says("old")) ? "wall old" : "wall";
  }

  function take(text) {
    var page = new DOMParser().parseFromString(text, "text/html");
    var fresh = page.querySelector("[data-wall]");
    if (!fresh) {
      trouble = "out";
    } else if (fresh.getAttribute("data-wall") !== says("wall")) {
      location.reload();
    } else {
      wall.innerHTML = fresh.innerHTML;
      came = clocks();
      trouble = null;
    }
  }

  function look() {
    var request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.timeout = 10000;
    request.onload = function () {
      if (request.status === 200) take(request.responseText);
      else trouble = request.status === 503 ? "lost" : "out";
      show();
    };
    request.onerror = request.ontimeout = function () {
      trouble = "lost";
      show();
    };
    request.send();
  }

  setInterval(look, Number(says("look")) * 1000);
  setInterval(function () {
    place += 1;
    show();
  }, Number(says("turn")) * 1000);
  show();
})();
