"""Upload a document, wait for it and show its markdown, with FastAPI.

DATABASE_URL=... HOOKLINE_STORAGE_URL=... uvicorn fastapi_app:app
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, Request, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse

import hookline

client = hookline.AsyncClient()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with client:
        yield


app = FastAPI(lifespan=lifespan)


def signed_in_user() -> UUID:
    return UUID("7d1f1c1e-8a52-4f0e-9c39-0e6b3f2f6a11")  # Yours: the id of who is signed in.


User = Annotated[UUID, Depends(signed_in_user)]


@app.post("/documents", status_code=202)
async def upload(file: UploadFile, user: User) -> dict[str, str]:
    job = await client.submit(file.file, user, filename=file.filename or "document")
    return {"markdown": f"/documents/{job.job_id}"}


@app.get("/documents/{job_id}")
async def show(job_id: UUID, user: User) -> PlainTextResponse:
    if (await client.status(job_id)).owner_id != user:
        raise hookline.UnknownJob("this job is of another user")
    await client.wait(job_id, timeout=20)
    return PlainTextResponse(await client.result(job_id))


@app.exception_handler(hookline.HooklineError)
def explain(request: Request, error: Exception) -> JSONResponse:
    match error:
        case hookline.StillRunning(job=job):
            return JSONResponse({"status": job.status}, 202, {"Retry-After": "1"})
        case hookline.NotParsed(job=job):
            return JSONResponse({"status": job.status, "error": job.last_error}, 422)
        case hookline.UnknownJob():
            return JSONResponse({"error": "There is no such document."}, 404)
        case hookline.Unreadable():
            return JSONResponse({"error": str(error)}, 400)
    return JSONResponse({"error": "Try again later."}, 503, {"Retry-After": "10"})
