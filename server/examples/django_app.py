"""Upload a document, wait for it and show its markdown, with Django.

DJANGO_SECRET_KEY=... DATABASE_URL=... HOOKLINE_STORAGE_URL=... python django_app.py runserver
"""

import os
from uuid import UUID

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.urls import path

import hookline

settings.configure(
    SECRET_KEY=os.environ["DJANGO_SECRET_KEY"],
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
    ROOT_URLCONF=__name__,
)
USER = UUID("7d1f1c1e-8a52-4f0e-9c39-0e6b3f2f6a11")  # Yours: the id of request.user.
FORM = """<form method="post" enctype="multipart/form-data"><input type="file" name="file" required>
<input type="hidden" name="csrfmiddlewaretoken" value="{}"><button>Upload</button></form>"""
# One for the process, for all of its threads. It connects at its first call, also after a fork.
client = hookline.Client()


def upload(request: HttpRequest) -> HttpResponse:
    if (file := request.FILES.get("file")) is None:
        return HttpResponse(FORM.format(get_token(request)))
    try:
        return HttpResponseRedirect(f"/documents/{client.submit(file, USER).job_id}")
    except hookline.Unreadable as error:
        return HttpResponse(str(error), "text/plain", 400)
    except hookline.HooklineError:
        return HttpResponse("Try again later.", "text/plain", 503)


def show(request: HttpRequest, job_id: UUID) -> HttpResponse:
    try:
        if client.status(job_id).owner_id != USER:
            raise hookline.UnknownJob("this job is of another user")
        client.wait(job_id, timeout=20)  # It holds a thread of the server for so long.
        return HttpResponse(client.result(job_id), "text/plain; charset=utf-8")
    except hookline.UnknownJob:
        return HttpResponse("There is no such document.", "text/plain", 404)
    except hookline.StillRunning as running:
        return HttpResponse(running.job.status, "text/plain", 202, headers={"Refresh": "1"})
    except hookline.NotParsed as failed:
        return HttpResponse(str(failed), "text/plain", 422)
    except hookline.HooklineError:
        return HttpResponse("Try again later.", "text/plain", 503)


urlpatterns = [path("", upload), path("documents/<uuid:job_id>", show)]
if __name__ == "__main__":
    execute_from_command_line()
